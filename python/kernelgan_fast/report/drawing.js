// Figures of an open row, drawn from its data.
const drawing = (() => {
  "use strict";

  const colours = document.body.dataset.colours.split(" ").map((hex) =>
    [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)),
  );

  // Building: text is always set as text, never as HTML.
  const SVG = "http://www.w3.org/2000/svg";
  const fill = (element, attributes, children) => {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const html = (tag, attributes = {}, ...children) =>
    fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);
  const written = (x, y, text, anchor = "middle") =>
    svg("text", { x, y, "text-anchor": anchor }, text);

  const bytes = (coded) => Uint8Array.from(atob(coded), (letter) => letter.charCodeAt(0));
  const colour = (value) => {
    const place = Math.min(Math.max(value, 0), 1) * (colours.length - 1);
    const low = Math.min(Math.floor(place), colours.length - 2);
    return colours[low].map((part, at) =>
      Math.round(part + (place - low) * (colours[low + 1][at] - part)),
    );
  };
  const short = (value, digits = 2) =>
    Number(value).toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");

  // A kernel: cells, contours, standard deviations, where it is centred and where it belongs.
  const at = (weights, size, row, col) =>
    weights[Math.min(Math.max(row, 0), size - 1) * size + Math.min(Math.max(col, 0), size - 1)];
  const cubic = (a, b, c, d, t) =>
    b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
  const finer = (weights, size, times) => {
    const side = (size - 1) * times + 1;
    const grid = [];
    for (let y = 0; y < side; y += 1) {
      const row = Math.floor(y / times);
      const line = [];
      for (let x = 0; x < side; x += 1) {
        const col = Math.floor(x / times);
        const across = [-1, 0, 1, 2].map((down) =>
          cubic(
            ...[-1, 0, 1, 2].map((right) => at(weights, size, row + down, col + right)),
            x / times - col,
          ),
        );
        line.push(cubic(...across, y / times - row));
      }
      grid.push(line);
    }
    return grid;
  };
  // Marching squares; of the two ways through a saddle either will do.
  const contour = (grid, level, place) => {
    let path = "";
    for (let y = 0; y + 1 < grid.length; y += 1) {
      for (let x = 0; x + 1 < grid.length; x += 1) {
        const corners = [[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1]];
        const cuts = [];
        corners.forEach(([x0, y0], index) => {
          const [x1, y1] = corners[(index + 1) % 4];
          const [one, other] = [grid[y0][x0] - level, grid[y1][x1] - level];
          if (one < 0 === other < 0) return;
          const part = one / (one - other);
          cuts.push(place(x0 + part * (x1 - x0), y0 + part * (y1 - y0)));
        });
        for (let cut = 0; cut + 1 < cuts.length; cut += 2) path += `M${cuts[cut]}L${cuts[cut + 1]}`;
      }
    }
    return path;
  };
  const ellipse = ([rows, mixed, cols]) => {
    const middle = (rows + cols) / 2;
    const reach = Math.hypot((rows - cols) / 2, mixed);
    const turn = 0.5 * Math.atan2(2 * mixed, cols - rows);
    return { major: middle + reach, minor: middle - reach, turn: (turn * 180) / Math.PI };
  };
  const drawKernel = (kernel, words) => {
    const { size, low, high } = kernel;
    const weights = bytes(kernel.weights);
    const [left, top, side] = [26, 4, 260];
    const cell = side / size;
    const x = (col) => left + (col + 0.5) * cell;
    const y = (row) => top + (row + 0.5) * cell;
    const cells = svg("g", { class: "cells" });
    weights.forEach((weight, index) => {
      const [row, col] = [Math.floor(index / size), index % size];
      const fill = `rgb(${colour(weight / 255)})`;
      const place = { x: left + col * cell, y: top + row * cell, width: cell, height: cell };
      cells.append(svg("rect", { ...place, fill }));
    });
    const picture = svg("svg", { viewBox: "0 0 338 292", role: "img", "aria-label": words }, cells);
    const times = size < 20 ? 4 : 2;
    const grid = finer(weights, size, times);
    const zero = (-low / (high - low)) * 255;
    const place = (col, row) => `${x(col / times).toFixed(1)} ${y(row / times).toFixed(1)}`;
    for (const part of [0.1, 0.25, 0.5, 0.75]) {
      const path = contour(grid, zero + part * (255 - zero) + 1e-6, place);
      picture.append(svg("path", { class: "contour", d: path }));
    }
    const [row, col] = kernel.centre;
    const { major, minor, turn } = ellipse(kernel.covariance);
    if (minor > 0) {
      const [rx, ry] = [Math.sqrt(major) * cell, Math.sqrt(minor) * cell];
      const transform = `rotate(${turn.toFixed(2)} ${x(col)} ${y(row)})`;
      const outline = { cx: x(col), cy: y(row), rx, ry, transform };
      for (const kind of ["shade", "ellipse"]) {
        picture.append(svg("ellipse", { class: kind, ...outline }));
      }
    }
    const target = { cx: x(kernel.target), cy: y(kernel.target), r: 6.5 };
    const cross = `M${x(col) - 4.5} ${y(row)}h9M${x(col)} ${y(row) - 4.5}v9`;
    for (const kind of ["halo", "target"]) picture.append(svg("circle", { class: kind, ...target }));
    for (const kind of ["halo", "centre"]) picture.append(svg("path", { class: kind, d: cross }));
    const half = (size - 1) / 2;
    const step = size < 20 ? 3 : 6;
    for (let offset = -Math.floor(half / step) * step; offset <= half; offset += step) {
      picture.append(written(x(half + offset), top + side + 16, short(offset, 0)));
      picture.append(written(left - 6, y(half + offset) + 4, short(offset, 0), "end"));
    }
    for (let index = 0; index < 64; index += 1) {
      const fill = `rgb(${colour(1 - index / 63)})`;
      const bar = { x: 298, y: top + (index * side) / 64, width: 8, height: side / 64 + 0.5, fill };
      picture.append(svg("rect", bar));
    }
    picture.append(written(310, top + 9, short(high, 3), "start"));
    picture.append(written(310, top + side, short(low, 3), "start"));
    return picture;
  };
  const figure = (kind, title, extra, ...parts) =>
    html(
      "figure",
      { class: kind },
      html("div", { class: "figure-head" }, html("h3", {}, title), ...extra),
      ...parts,
    );
  const kernelFigure = (kernel) => {
    const [major, minor, angle] = kernel.widths;
    const widths = `${short(major)} × ${short(minor)} px`;
    const words = `Kernel at scale ${kernel.scale}, ${widths} at ${short(angle, 0)} degrees`;
    return figure(
      "kernel",
      `Kernel ×${kernel.scale}, ${kernel.size} × ${kernel.size}`,
      [],
      drawKernel(kernel, words),
      html(
        "figcaption",
        {},
        "Widths ",
        html("b", {}, widths),
        " at ",
        html("b", {}, `${short(angle, 0)}°`),
        ". Contours at 10, 25, 50 and 75 % of the peak; dashed, the standard deviations; cross, the " +
          "centre of mass; ring, where it belongs.",
      ),
    );
  };

  const photoFigure = (data, source, title) => {
    const frame = html("div", { class: "frame" }, html("img", { src: source, alt: title }));
    const { width, height, weights } = data.heat;
    const canvas = html("canvas", { width, height, "aria-hidden": "true" });
    const pixels = new ImageData(width, height);
    bytes(weights).forEach((weight, index) => {
      pixels.data.set([...colour(0.15 + (0.85 * weight) / 255), 40 + weight * 0.7], 4 * index);
    });
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    frame.append(canvas);
    const toggle = html("button", { type: "button", "aria-pressed": "false" }, "Crop map");
    toggle.addEventListener("click", () => {
      toggle.setAttribute("aria-pressed", String(frame.classList.toggle("hot")));
    });
    const used = data.trained
      ? "Training takes most of its crops where the crop map is bright."
      : "Training would take its crops where the crop map is bright; this kernel needed none.";
    const caption = `${data.size[0]} × ${data.size[1]} px. ${used} The map is made of a small copy of the photo.`;
    return figure("photo", "Photo", [toggle], frame, html("figcaption", {}, caption));
  };

  const sliderFigure = (slider) => {
    const input = html("input", { type: "range", min: 0, max: 100, value: 50, step: 1 });
    input.setAttribute("aria-label", "How much of the picture is bicubic, from the left");
    const box = html(
      "div",
      { class: "compare" },
      html("img", { src: slider.after, alt: `Enlarged by ${slider.method}` }),
      html("img", { src: slider.before, alt: "Enlarged bicubically", class: "before" }),
      html("span", { class: "knob", "aria-hidden": "true" }, "⇆"),
      html("span", { class: "tag left", "aria-hidden": "true" }, "bicubic"),
      html("span", { class: "tag right", "aria-hidden": "true" }, slider.method.split(",")[0]),
      input,
    );
    const move = () => {
      box.style.setProperty("--cut", `${input.value}%`);
      input.setAttribute("aria-valuetext", `${input.value} % bicubic`);
    };
    input.addEventListener("input", move);
    move();
    const caption = `${slider.method}. Where the photo has most detail; drag, or use the arrow keys.`;
    return figure("slider", `Enlarged ×${slider.scale}`, [], box, html("figcaption", {}, caption));
  };

  // Curves of one or two losses over the iterations, a line a seed.
  const CHARTS = [
    ["GAN, generator and discriminator", ["gan_g", "gan_d"]],
    ["ideal downscaler", ["ideal"]],
    ["sum to one", ["sum_to_one"]],
    ["boundaries", ["boundaries"]],
    ["centre", ["centre"]],
    ["sparse", ["sparse"]],
  ];
  const compact = (value) =>
    value !== 0 && Math.abs(value) < 1e-3
      ? value.toExponential(0).replace("-", "−")
      : String(Number(value.toPrecision(3)));
  const chart = (iterations, curves) => {
    const values = curves.flat(2).filter((value) => value !== null);
    if (!values.length) return null;
    let [low, high] = [Math.min(...values), Math.max(...values)];
    const logarithmic = low > 0 && high / low > 30;
    // Four decades at most: the first value of a start in closed form is next to nothing.
    const floor = logarithmic ? Math.max(low, high / 1e4) : low;
    const scaled = (value) => (logarithmic ? Math.log10(Math.max(value, floor)) : value);
    const labels = [low < floor ? `≤ ${compact(floor)}` : compact(low), compact(high)];
    [low, high] = [scaled(low), scaled(high)];
    const last = iterations[iterations.length - 1] || 1;
    const x = (iteration) => (4 + (252 * iteration) / last).toFixed(1);
    const y = (value) => (84 - (78 * (scaled(value) - low)) / (high - low || 1)).toFixed(1);
    const picture = svg("svg", { viewBox: "0 0 300 108", role: "img" });
    picture.setAttribute("aria-label", `from ${labels[0]} to ${labels[1]} in ${last} iterations`);
    picture.append(svg("path", { class: "axis", d: "M4 6H256M4 84H256" }));
    curves.forEach((seeds, index) => {
      for (const seed of seeds) {
        let path = "";
        let pen = "M";
        seed.forEach((value, step) => {
          if (value === null || iterations[step] === null) pen = "M";
          else [path, pen] = [`${path}${pen}${x(iterations[step])} ${y(value)}`, "L"];
        });
        picture.append(svg("path", { class: index ? "line second" : "line", d: path }));
      }
    });
    picture.append(written(260, 10, labels[1], "start"), written(260, 88, labels[0], "start"));
    picture.append(written(4, 102, "0", "start"), written(256, 102, last, "end"));
    if (logarithmic) picture.append(written(130, 102, "logarithmic"));
    return picture;
  };
  const lossFigure = (losses) => {
    const charts = html("div", { class: "charts" });
    const known = CHARTS.flatMap(([, names]) => names);
    const others = Object.keys(losses).filter((name) => name !== "iteration" && !known.includes(name));
    for (const [title, names] of [...CHARTS, ...others.map((name) => [name, [name]])]) {
      const curves = names.map((name) => losses[name]).filter(Boolean);
      const picture = curves.length ? chart(losses.iteration, curves) : null;
      if (!picture) continue;
      const words = title.startsWith("GAN")
        ? ["GAN, ", html("i", {}, "generator"), " and ", html("i", {}, "discriminator")]
        : [title];
      charts.append(html("div", {}, html("h4", {}, ...words), picture));
    }
    return figure("full", "Losses", [], charts);
  };

  // Kernels by region: their standard deviations, all at one scale.
  const tileFigure = ({ major: wides, minor: narrows, angle: angles }, [across, down]) => {
    const [lines, columns] = [wides.length, wides[0].length];
    const [width, height] = [600, Math.round((600 * down) / across)];
    const [wide, high] = [width / columns, height / lines];
    const widest = Math.max(...wides.flat().map((value) => value || 0), 1e-6);
    const zoom = (0.42 * Math.min(wide, high - 16)) / widest;
    const view = { viewBox: `0 0 ${width} ${height}`, role: "img" };
    const picture = svg("svg", { ...view, "aria-label": "Widths by region" });
    wides.forEach((line, row) => {
      line.forEach((major, col) => {
        const minor = narrows[row][col];
        const [left, top] = [col * wide, row * high];
        const region = { x: left, y: top, width: wide, height: high };
        picture.append(svg("rect", { class: "region", ...region }));
        if (major === null || minor === null) return;
        const [cx, cy] = [left + wide / 2, top + (high - 16) / 2];
        const transform = `rotate(${-(angles[row][col] || 0)} ${cx} ${cy})`;
        const oval = { class: "oval", cx, cy, rx: zoom * major, ry: zoom * minor, transform };
        picture.append(svg("ellipse", oval));
        picture.append(written(cx, top + high - 6, `${short(major)} × ${short(minor)}`));
      });
    });
    const caption = "Standard deviations in px, all drawn at one scale; an empty region shows too little.";
    return figure("tiles", "By region", [], picture, html("figcaption", {}, caption));
  };

  const factsFigure = (facts) => {
    const list = html("dl");
    for (const [label, value] of facts) list.append(html("dt", {}, label), html("dd", {}, value));
    return figure("facts", "How it was made", [], list);
  };

  return { html, photoFigure, kernelFigure, sliderFigure, tileFigure, factsFigure, lossFigure };
})();
