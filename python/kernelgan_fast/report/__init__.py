"""One HTML page of what `estimate` and `upscale` wrote, for people to look at.

`folder` finds records and kernels, whatever state they are in; `rows` takes a record apart without
trusting it; `pictures` makes small pictures of photos; `page` turns rows into HTML, where nothing
from outside gets through unescaped; `writing` puts them together. The page itself is `page.html`,
`page.css`, `page.js` (the table) and `drawing.js` (the figures of an open row).
"""
