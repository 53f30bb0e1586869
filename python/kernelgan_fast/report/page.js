// The table: pictures that come late, rows that open, sorting, searching, light and dark.
(() => {
  "use strict";

  const { html, photoFigure, kernelFigure, sliderFigure, tileFigure, factsFigure, lossFigure } =
    drawing;
  const root = document.documentElement;
  const body = document.querySelector("#photos tbody");
  const rows = [...body.rows]; // in the order in which they are sorted

  const dataOf = (row) => JSON.parse(row.querySelector("script").textContent);

  // Pictures of the table that are not in the HTML itself come when their row is near.
  const show = (row) => {
    const late = row.querySelectorAll("img:not([src])");
    if (!late.length) return;
    const { thumb, mini } = dataOf(row);
    for (const image of late) image.src = image.closest("td").className === "mini" ? mini : thumb;
  };
  const near = new IntersectionObserver(
    (seen) => {
      for (const { isIntersecting, target } of seen) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        show(target);
      }
    },
    { rootMargin: "600px" },
  );
  for (const row of rows) if (row.querySelector("img:not([src])")) near.observe(row);

  // Narrow windows leave columns out, which the open row must not bring back.
  const heads = [...document.querySelectorAll("#photos thead th")];
  const columnsShown = () => heads.filter((head) => head.offsetWidth).length;
  const details = (row) => {
    const data = dataOf(row);
    const image = row.querySelector("td.thumb img");
    const title = row.querySelector("button.open").textContent;
    const [one, two] = ["one", "two"].map((kind) => html("div", { class: `column ${kind}` }));
    if (image) one.append(photoFigure(data, image.src, title));
    for (const slider of data.sliders || []) one.append(sliderFigure(slider));
    for (const kernel of data.kernels) two.append(kernelFigure(kernel));
    if (data.tiles) two.append(tileFigure(data.tiles, data.size || [3, 2]));
    if (data.facts.length) {
      const room = two.children.length === 1 || (one.children.length > 1 && !data.losses.iteration);
      (room ? two : one).append(factsFigure(data.facts));
    }
    if (data.losses.iteration) two.append(lossFigure(data.losses));
    const columns = [one, two].filter((column) => column.children.length);
    const sheet = html("div", { class: columns.length > 1 ? "sheet" : "sheet single" }, ...columns);
    const notes = html("ul", { class: "notes" }, ...data.notes.map((note) => html("li", {}, note)));
    const cell = html("td", { colspan: columnsShown() }, ...(data.notes.length ? [notes] : []), sheet);
    return html("tr", { class: "detail", id: `${row.querySelector("button.open").id}d` }, cell);
  };
  const opened = new Map();
  const toggle = (row, button) => {
    const open = opened.get(row);
    button.setAttribute("aria-expanded", String(!open));
    row.classList.toggle("opened", !open);
    if (open) {
      open.remove();
      opened.delete(row);
      button.removeAttribute("aria-controls");
      return;
    }
    show(row);
    const detail = details(row);
    opened.set(row, detail);
    row.after(detail);
    button.setAttribute("aria-controls", detail.id);
  };
  body.addEventListener("click", (event) => {
    const button = event.target.closest("button.open");
    if (button) toggle(button.closest("tr"), button);
  });

  window.addEventListener("resize", () => {
    for (const detail of opened.values()) detail.cells[0].colSpan = columnsShown();
  });

  // Sorting: what is not known comes last, whichever way.
  const collator = new Intl.Collator(undefined, { numeric: true });
  const sort = (head, index) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const text = head.dataset.sort === "text";
    const keyed = rows.map((row) => {
      const cell = row.cells[index];
      return [text ? cell.textContent : parseFloat(cell.dataset.v), row];
    });
    const sign = down ? -1 : 1;
    keyed.sort(([one], [other]) => {
      if (text) return sign * collator.compare(one, other);
      if (Number.isNaN(one) || Number.isNaN(other)) return Number.isNaN(one) - Number.isNaN(other);
      return sign * (one - other);
    });
    rows.splice(0, rows.length, ...keyed.map(([, row]) => row));
    const order = document.createDocumentFragment();
    for (const row of rows) order.append(row, ...(opened.has(row) ? [opened.get(row)] : []));
    body.append(order);
    change();
  };
  heads.forEach((head, index) => {
    if (!head.dataset.sort) return;
    const button = html("button", { type: "button" }, ...head.childNodes);
    button.addEventListener("click", () => sort(head, index));
    head.append(button);
  });

  // Searching; of many rows those further down are laid out only as they are scrolled to.
  const STEP = 200;
  const words = document.getElementById("filter");
  const noted = document.getElementById("noted");
  const more = document.getElementById("more");
  const told = new Map();
  const textOf = (row) => {
    if (!told.has(row)) {
      const parts = [row.querySelector("button.open"), row.querySelector("td.notes")];
      told.set(row, parts.map((part) => part.textContent.toLowerCase()).join("\n"));
    }
    return told.get(row);
  };
  let limit = STEP;
  const arrange = () => {
    const wanted = words.value.trim().toLowerCase();
    let left = 0;
    for (const row of rows) {
      const cell = row.querySelector("td.notes");
      const fits = textOf(row).includes(wanted) && (!noted.checked || cell.dataset.v !== "0");
      left += fits;
      for (const part of [row, opened.get(row)].filter(Boolean)) {
        part.hidden = !fits;
        part.classList.toggle("late", left > limit);
      }
    }
    const all = left === rows.length;
    document.getElementById("count").textContent = all ? "" : `${left} of ${rows.length} shown`;
    document.getElementById("nothing").hidden = left > 0;
    more.hidden = left <= limit;
    more.textContent = `Show more, ${left - limit} are left`;
  };
  const change = () => {
    limit = STEP;
    arrange();
  };
  const further = (step) => {
    limit += step;
    arrange();
  };
  words.addEventListener("input", change);
  noted.addEventListener("change", change);
  more.addEventListener("click", () => further(STEP));
  new IntersectionObserver(([seen]) => seen.isIntersecting && !more.hidden && further(STEP), {
    rootMargin: "800px",
  }).observe(more);
  window.addEventListener("beforeprint", () => {
    rows.forEach(show);
    further(rows.length);
  });
  arrange();

  // Light and dark: as the system has it, until the button says otherwise.
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const name = () => {
    button.textContent = isDark() ? "Light" : "Dark";
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    name();
  });
  system.addEventListener("change", name);
  name();
})();
