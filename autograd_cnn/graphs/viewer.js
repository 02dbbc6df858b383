"use strict";
(() => {
  const data = JSON.parse(document.getElementById("graph").textContent);
  const $ = (id) => document.getElementById(id);
  const svg = document.querySelector("#canvas svg");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const MARGIN = 14, GAP = 27, RAIL = 9, BOX = 9;
  const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const shape = (sizes) => sizes.length ? sizes.join("×") : "scalar";
  const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
  const short = (n) => {
    if (n !== 0 && Math.abs(n) < 0.01) return n.toExponential(1).replace("-", "−");
    const unit = n >= 1e12 ? [1e12, "T"] : n >= 1e9 ? [1e9, "G"] : n >= 1e6 ? [1e6, "M"] : n >= 1e3 ? [1e3, "k"] : [1, ""];
    return Number((n / unit[0]).toPrecision(3)) + unit[1];
  };

  // the graph

  const byId = new Map(data.nodes.map((node) => [node.id, node]));
  const members = data.modules.map(() => []);
  const around = (module) => {
    const chain = [];
    for (; module != null; module = data.modules[module].parent) chain.unshift(module);
    return chain;
  };
  for (const node of data.nodes) for (const m of around(node.module)) members[m].push(node);
  const path = (module) => around(module).map((m) => data.modules[m].name).join(".");
  const title = (row) => row.module == null ? row.node.name : data.modules[row.module].name;

  const cards = new Map();
  for (const g of svg.querySelectorAll("g[id]")) {
    const [x, y, w, h] = ["x", "y", "width", "height"].map((k) => +g.querySelector("rect").getAttribute(k));
    const rect = g.querySelectorAll("rect")[1];
    const inks = [...g.querySelectorAll("text")].filter((t) => +t.getAttribute("y") < y + 19);
    cards.set(g.id, { g, x, y, w, h, rect, inks, fill: rect && rect.getAttribute("fill") });
    g.classList.add("card");
    g.setAttribute("role", "button");
    g.setAttribute("tabindex", -1);
    g.dataset.key = g.id;
  }
  const ladder = cards.has("b" + data.nodes[data.nodes.length - 1].id);
  const collapsed = new Set(data.collapsed);
  let showBackward = ladder, rows = [], edges = [], place = new Map(), selected = null, step = null, timer = 0;

  // layout: one visible node a row, tensors that skip rows on rails, as in the static picture

  function arrange() {
    const found = new Map();
    for (const node of data.nodes) {
      const whole = around(node.module).find((m) => collapsed.has(m) && cards.has("m" + m));
      const key = whole === undefined ? "n" + node.id : "m" + whole;
      if (!found.has(key)) found.set(key, { key, module: whole, members: [] });
      const row = found.get(key);
      row.members.push(node);
      row.node = node;
    }
    rows = [...found.values()].sort((a, b) => a.node.id - b.node.id);
    place = new Map();
    rows.forEach((row, i) => {
      row.card = cards.get(row.key);
      row.back = showBackward ? cards.get(row.key.replace("n", "b").replace("m", "q")) : undefined;
      row.members.forEach((node) => place.set(node.id, i));
    });
    const merged = new Map();
    for (const edge of data.edges) {
      const i = place.get(edge.source), j = place.get(edge.target);
      if (i === j) continue;
      const known = merged.get(i + "," + j);
      if (known) { known.count += edge.count; known.returns ||= edge.differentiable; continue; }
      merged.set(i + "," + j, { i, j, count: edge.count, returns: edge.differentiable, bytes: edge.nbytes, shape: shape(edge.shape) });
    }
    edges = [...merged.values()];
    for (const edge of edges) edge.returns &&= !!(rows[edge.i].back && rows[edge.j].back);
  }

  function rails(spans) {
    const until = new Map(), lanes = new Map();
    for (const [i, j] of spans) until.set(i, Math.max(until.get(i) ?? j, j));
    let busy = [], together = [], used = 0;
    const settle = () => { for (const [k, lane] of together) lanes.set(k, used - 1 - lane); };
    for (const i of [...until.keys()].sort((a, b) => a - b)) {
      busy = busy.filter(([end]) => end > i);
      if (!busy.length) { settle(); together = []; used = 0; }
      let lane = 0;
      while (busy.some(([, taken]) => taken === lane)) lane++;
      used = Math.max(used, lane + 1);
      busy.push([until.get(i), lane]);
      together.push([i, lane]);
    }
    settle();
    return lanes;
  }

  function boxes() {
    const found = new Map();
    rows.forEach((row, i) => {
      for (const m of around(row.node.module)) {
        if (m === row.module) break;
        if (!found.has(m)) found.set(m, { module: m, first: i });
        found.get(m).last = i;
      }
    });
    const open = [...found.values()].filter((box) => box.first < box.last);
    const boxed = new Set(open.map((box) => box.module));
    for (const box of open) {
      box.level = around(box.module).filter((m) => boxed.has(m)).length - 1;
      box.lines = data.modules[box.module].caption;
    }
    return open;
  }

  const layer = (name) => {
    const g = document.createElementNS("http://www.w3.org/2000/svg", "g");
    g.id = name;
    return g;
  };
  const world = layer("world"), under = layer("under"), over = layer("over");
  const pathThrough = (points) => {
    let d = `M${points[0]}`;
    for (let k = 1; k < points.length - 1; k++) {
      const [a, b, c] = points.slice(k - 1, k + 2);
      const towards = (p, q) => {
        const length = Math.abs(q[0] - p[0]) + Math.abs(q[1] - p[1]) || 1, share = Math.min(0.5, 6 / length);
        return [p[0] + (q[0] - p[0]) * share, p[1] + (q[1] - p[1]) * share];
      };
      d += `L${towards(b, a)}Q${b} ${towards(b, c)}`;
    }
    return d + `L${points[points.length - 1]}`;
  };
  const width = (bytes) => (0.6 + 0.28 * Math.max(0, Math.log2(Math.max(bytes, 1) / 256))).toFixed(2);
  const label = (x, y, text, kind = "", anchor = "start") =>
    `<text x="${x}" y="${y + 3}" text-anchor="${anchor}" class="label ${kind}">${escape(text)}</text>`;
  const line = (points, kind, bytes, ends = "") =>
    `<path d="${pathThrough(points)}" class="${kind}" stroke-width="${width(bytes)}" ${ends}/>`;

  function draw() {
    arrange();
    const open = boxes(), gutters = [], arrivals = new Map();
    for (const box of open) gutters[box.level] = Math.max(gutters[box.level] ?? 40, data.modules[box.module].width + 16);
    const gutter = gutters.reduce((a, b) => a + b, 0);
    const skips = edges.filter((e) => e.j !== e.i + 1);
    const left = rails(skips.map((e) => [e.i, e.j])), right = rails(skips.filter((e) => e.returns).map((e) => [e.i, e.j]));
    const columnLeft = MARGIN + gutter + (left.size ? 12 + RAIL * (1 + Math.max(...left.values())) : 0) + BOX;
    const column = Math.max(...rows.map((row) => row.card.w)), middle = columnLeft + column / 2;
    const kept = (row) => row.node.kept && row.module == null && row.back ? "kept: " + row.node.kept.join(", ") : "";
    const rungWidth = Math.max(70, ...rows.map((row) => kept(row).length * 4.6)) + 24;
    const boxRight = columnLeft + column + BOX + 6 * Math.max(0, gutters.length - 1);
    const backLeft = boxRight + rungWidth;
    const backColumn = Math.max(60, ...rows.map((row) => row.back ? row.back.w : 0)), backMiddle = backLeft + backColumn / 2;
    let y = MARGIN + (showBackward ? 34 : 8);
    rows.forEach((row, i) => {
      y += 10 * open.filter((box) => box.first === i).length;
      row.top = y;
      row.height = Math.max(row.card.h, row.back ? row.back.h : 0);
      y += row.height;
      for (const box of open.filter((b) => b.last === i)) {
        y = Math.max(y, rows[box.first].top + 13 * box.lines.length + 8) + 10;
      }
      y += GAP;
    });
    const enter = (j, side) => {
      const n = arrivals.get(j + side) ?? 0;
      arrivals.set(j + side, n + 1);
      return rows[j].top + Math.min(5 + 6.5 * n, rows[j].height - 7);
    };
    const back = [], fore = [], marks = [];
    for (const box of open) {
      const above = open.filter((b) => b.first === box.first && b.level > box.level).length;
      const below = open.filter((b) => b.last === box.last && b.level > box.level).length;
      const x = MARGIN + gutters.slice(0, box.level).reduce((a, b) => a + b, 0), top = rows[box.first].top - BOX - 8 * above;
      const end = Math.max(rows[box.last].top + rows[box.last].height + BOX, rows[box.first].top + 13 * box.lines.length) + 8 * below;
      const name = escape(data.modules[box.module].name);
      back.push(`<g class="module" data-module="${box.module}" role="button" tabindex="-1" aria-expanded="true" aria-label="Collapse ${name}">` +
        `<rect x="${x}" y="${top}" width="${boxRight - 6 * box.level - x}" height="${end - top}" rx="8"/>` +
        box.lines.map((text, k) => `<text x="${x + 8}" y="${rows[box.first].top + 6 + 13 * k}" class="${k ? "label" : "name"}">${k ? "" : "▾ "}${escape(text)}</text>`).join("") + "</g>");
    }
    for (const edge of edges) {
      const a = rows[edge.i], b = rows[edge.j], ends = `data-from="${edge.i}" data-to="${edge.j}"`;
      const text = edge.shape + (edge.count > 1 ? ` (×${edge.count})` : "");
      const next = edge.j === edge.i + 1, end = a.top + a.height;
      if (next) {
        fore.push(line([[middle, end], [middle, b.top]], "edge", edge.bytes, ends));
        marks.push(label(middle + 8, (end + b.top) / 2, text));
      } else {
        const x = columnLeft - 12 - RAIL * left.get(edge.i), from = (columnLeft + middle - a.card.w / 2) * 0 + middle - a.card.w / 2;
        fore.push(line([[from, end - 5], [x, end - 5], [x, enter(edge.j, "l")], [middle - b.card.w / 2, rows[edge.j].top + Math.min(5 + 6.5 * (arrivals.get(edge.j + "l") - 1), b.height - 7)]], "edge", edge.bytes, ends));
        if (!edges.some((e) => e.i === edge.i && e.j === e.i + 1)) marks.push(label(from + 2, end + 8, text));
      }
      if (!edge.returns) continue;
      if (next) {
        fore.push(line([[backMiddle, b.top], [backMiddle, end]], "edge gradient", edge.bytes, ends));
        marks.push(label(backMiddle + 8, (end + b.top) / 2, "grad " + edge.shape, "gradient"));
      } else {
        const x = backLeft + backColumn + 12 + RAIL * right.get(edge.i), leave = enter(edge.j, "r");
        fore.push(line([[backMiddle + b.back.w / 2, leave], [x, leave], [x, end - 5], [backMiddle + a.back.w / 2, end - 5]], "edge gradient", edge.bytes, ends));
      }
    }
    rows.forEach((row, i) => {
      for (const card of [row.card, row.back]) {
        if (!card) continue;
        const x = (card === row.card ? middle : backMiddle) - card.w / 2;
        card.g.setAttribute("transform", `translate(${x - card.x},${row.top - card.y})`);
      }
      if (showBackward && !row.back) marks.push(label(backMiddle, row.top + row.height / 2, "no gradient asked for", "", "middle"));
      if (kept(row)) {
        const at = row.top + 13, start = middle + row.card.w / 2;
        fore.push(`<path d="M${start},${at}H${backMiddle - row.back.w / 2}" class="rung" data-rung="${i}"/>`);
        marks.push(`<text x="${(boxRight + backLeft) / 2}" y="${at - 4}" text-anchor="middle" class="label" data-rung="${i}">${escape(kept(row))}</text>`);
      }
    });
    if (showBackward) {
      fore.push(`<text x="${middle}" y="26" text-anchor="middle" class="heading">forward</text>`, `<text x="${backMiddle}" y="26" text-anchor="middle" class="heading">backward</text>`);
      for (const id of data.outputs) {
        const row = rows[place.get(id)], low = row.top + row.height + 16, last = row === rows[rows.length - 1];
        if (!row.back) continue;
        const points = last ? [[middle, low - 16], [middle, low], [backMiddle, low], [backMiddle, low - 16]]
          : [[middle + row.card.w / 2, low - 19], [backMiddle - row.back.w / 2, low - 19]];
        fore.push(line(points, "edge seed", 8e3));
        marks.push(label((boxRight + backLeft) / 2, points[1][1] + (last ? -7 : 8), last ? "seed ∂L/∂L = 1" : "seed 1", "", "middle"));
      }
    }
    under.innerHTML = back.join("") + fore.join("");
    over.innerHTML = marks.join("");
    const shown = new Set(rows.flatMap((row) => [row.card, row.back]));
    for (const card of cards.values()) card.g.classList.toggle("away", !shown.has(card));
    size = [showBackward ? backLeft + backColumn + MARGIN + (right.size ? 12 + RAIL * (1 + Math.max(...right.values())) : 0) : boxRight + 90, y];
    rowsChanged();
  }

  // camera

  let size = [1, 1], camera = { x: 0, y: 0, k: 1 };
  const still = () => world.classList.remove("gliding");
  const aim = (x, y, k, glide = false) => {
    camera = { x, y, k: Math.min(8, Math.max(0.02, k)) };
    world.classList.toggle("gliding", glide && !calm.matches);
    world.style.transform = `translate(${camera.x}px,${camera.y}px) scale(${camera.k})`;
  };
  const view = () => $("canvas").getBoundingClientRect();
  function fit(whole) {
    const { width: w, height: h } = view();
    const k = whole ? Math.min(w / size[0], h / size[1], 2) : Math.min(w / size[0], 1.35);
    aim((w - size[0] * k) / 2, Math.max(0, whole ? (h - size[1] * k) / 2 : 0), k);
  }
  function zoom(factor, x = view().width / 2, y = view().height / 2) {
    const k = Math.min(8, Math.max(0.02, camera.k * factor)), f = k / camera.k;
    aim(x - (x - camera.x) * f, y - (y - camera.y) * f, k);
  }
  function reveal(row, glide = true) {
    const { height: h } = view(), middle = camera.y + (row.top + row.height / 2) * camera.k;
    if (middle < h * 0.2 || middle > h * 0.7) aim(camera.x, h * 0.42 - (row.top + row.height / 2) * camera.k, camera.k, glide);
  }

  // selection, hover, search

  const rowOf = (key) => rows.find((row) => row.key === key || (row.back && row.back.g.id === key));
  const bytes = (n) => short(n) + "B";
  function lit(key) {
    const row = key && rowOf(key), i = rows.indexOf(row);
    svg.classList.toggle("hovering", !!row);
    for (const other of rows) for (const card of [other.card, other.back]) card && card.g.classList.remove("lit");
    for (const edge of under.querySelectorAll("[data-from]")) {
      const near = row && (+edge.dataset.from === i || +edge.dataset.to === i);
      edge.classList.toggle("lit", !!near);
      if (near) for (const end of [rows[edge.dataset.from], rows[edge.dataset.to]]) for (const card of [end.card, end.back]) card && card.g.classList.add("lit");
    }
    if (row) for (const card of [row.card, row.back]) card && card.g.classList.add("lit");
  }
  function focus(key) {
    const card = cards.get(key);
    if (!card) return;
    for (const other of cards.values()) other.g.setAttribute("tabindex", other === card ? 0 : -1);
    card.g.focus({ preventScroll: true });
    reveal(rowOf(key), false);
  }
  function select(key) {
    selected = key;
    for (const card of cards.values()) card.g.classList.remove("selected");
    document.body.classList.toggle("open", !!key);
    if (!key) return;
    const row = rowOf(key);
    if (!row) return select(null);
    for (const card of [row.card, row.back]) card && card.g.classList.add("selected");
    $("details").innerHTML = row.module == null ? aboutNode(row) : aboutModule(row);
  }
  const link = (key, text) => `<button data-go="${key}">${escape(text)}</button>`;
  const fact = (name, value) => value === "" || value == null ? "" : `<dt>${escape(name)}</dt><dd>${value}</dd>`;
  const neighbours = (row, forwards) => {
    const i = rows.indexOf(row);
    const found = edges.filter((e) => (forwards ? e.i : e.j) === i).map((e) => [rows[forwards ? e.j : e.i], e]);
    return found.map(([other, e]) => `${link(other.key, title(other))} <small>${e.shape}</small>`).join("<br>");
  };
  const parameters = (list) => !list.length ? "" : `<table><caption>Parameters</caption><tr><th>name<th>shape<th>entries<th>‖∂L/∂p‖</tr>${list.map((p) =>
    `<tr><td>${escape(p.name)}<td>${shape(p.shape)}<td>${short(p.count)}<td>${p.trainable === false ? "statistic" : p.gradient == null ? "–" : escape(typeof p.gradient === "number" ? short(p.gradient) : p.gradient)}</tr>`).join("")}</table>`;
  const measured = (row) => data.metrics.map((m) => { const v = metric(m, row); return v == null ? "" : fact(m.label, v === 0 ? "0 exactly" : m.key === "nbytes" ? bytes(v) : short(v)); }).join("");
  function words(node) {
    const f = data.formulas[data.operations[node.id]];
    if (!f) return "";
    const forward = f.forward ? `<p class="formula">y = ${escape(f.forward)}</p>` : "";
    const gradients = f.gradients.map(([x, text, plain]) => `<p class="formula">∂L/∂${escape(x)} = ${escape(text)}</p>${plain ? `<p>${escape(plain)}</p>` : ""}`).join("");
    return `<h3>What it computes</h3>${forward}<p>${escape(f.about)}</p>` +
      (gradients ? `<h3>Its gradient</h3><p>g is ∂L/∂y, what comes back from the readers.</p>${gradients}` : "");
  }
  function aboutNode(row) {
    const n = row.node;
    const other = data.extras.map((name) => fact(name.replace(/_/g, " "), n[name] == null ? "" : escape(typeof n[name] === "object" ? JSON.stringify(n[name]) : n[name]))).join("");
    return `<h2>${escape(n.name)}</h2><p class="path">${escape(path(n.module) || "outside any module")}</p><dl>` +
      fact("output", `${shape(n.shape)} ${escape(n.dtype)}`) + fact("attributes", escape(n.attributes ?? "")) +
      fact("reads", neighbours(row, false)) + fact("read by", neighbours(row, true)) +
      fact("kept", n.kept ? escape(n.kept.join(", ")) + " for the backward pass" : "") + measured(row) +
      fact("source", n.source ? `<code>${escape(n.source)}</code>` : "") + other + `</dl>${parameters(n.parameters ?? [])}${words(n)}`;
  }
  function aboutModule(row) {
    const m = data.modules[row.module], unique = new Map();
    for (const n of row.members) for (const p of n.parameters ?? []) unique.set(p.key, { ...p, name: [...around(n.module).slice(around(row.module).length).map((k) => data.modules[k].name), p.name].join(".") });
    return `<h2>${escape(m.name)}</h2><p class="path">${escape(m.kind)} · ${escape(path(row.module))}</p>` +
      `<p><button data-expand="${row.module}">Expand (e)</button></p><dl>` + fact("output", shape(row.node.shape)) +
      fact("reads", neighbours(row, false)) + fact("read by", neighbours(row, true)) + measured(row) +
      fact("operations", escape(row.members.map((n) => n.name).join(" → "))) + `</dl>${parameters([...unique.values()])}`;
  }
  const haystack = (node) => [node.name, path(node.module), node.attributes, node.source, shape(node.shape), node.family,
    ...(node.parameters ?? []).map((p) => p.name), ...around(node.module).map((m) => data.modules[m].kind)].join(" ").toLowerCase();
  let hits = [], hit = -1;
  function search() {
    const wanted = $("search").value.trim().toLowerCase();
    hits = wanted ? data.nodes.filter((node) => haystack(node).includes(wanted)) : [];
    hit = -1;
    svg.classList.toggle("searching", !!wanted);
    const found = new Set(hits.map((node) => place.get(node.id)));
    rows.forEach((row, i) => { for (const card of [row.card, row.back]) card && card.g.classList.toggle("hit", found.has(i)); });
    $("found").textContent = wanted ? plural(hits.length, "hit") : "";
  }
  function nextHit(by) {
    if (!hits.length) return;
    hit = (hit + by + hits.length) % hits.length;
    const node = hits[hit];
    for (const m of around(node.module)) collapsed.delete(m);
    draw();
    $("found").textContent = `${hit + 1} of ${hits.length}`;
    select("n" + node.id);
    reveal(rowOf("n" + node.id));
  }

  // modules, colours

  function collapse(module, yes) {
    const anchor = rows.find((row) => around(row.node.module).includes(module));
    const before = anchor && anchor.top;
    if (yes) collapsed.add(module); else collapsed.delete(module);
    draw();
    const after = rows.find((row) => around(row.node.module).includes(module));
    if (anchor && after) aim(camera.x, camera.y + (before - after.top) * camera.k, camera.k);
    focus(after.key);
  }
  function collapseAll(depth) {
    collapsed.clear();
    data.modules.forEach((m, i) => { if (around(i).length >= depth) collapsed.add(i); });
    draw();
    fit(false);
  }
  function metric(m, row) {
    if (!m.additive) return m.values[data.nodes.indexOf(row.node)];
    const values = row.members.map((node) => m.values[data.nodes.indexOf(node)]).filter((v) => v != null);
    return values.length ? values.reduce((a, b) => a + b, 0) : null;
  }
  function recolour() {
    const m = data.metrics.find((candidate) => candidate.key === $("colour").value);
    const values = m ? rows.map((row) => metric(m, row)) : [];
    const positive = values.filter((v) => v > 0), low = Math.min(...positive), high = Math.max(...positive);
    rows.forEach((row, i) => {
      const { rect, inks, fill } = row.card, v = values[i];
      if (!rect) return;
      const share = high > low ? Math.log(v / low) / Math.log(high / low) : 0;
      const at = Math.min(data.heat.length - 1, Math.floor(share * data.heat.length));
      const heat = !m ? fill : v > 0 ? data.heat[at] : v === 0 ? "#FFFFFF" : "#888888";
      rect.setAttribute("fill", heat);
      for (const text of inks) for (const t of [text, ...text.children]) {
        t.dataset.ink ??= t.getAttribute("fill");
        t.setAttribute("fill", !m ? t.dataset.ink : v > 0 && at < 5 ? "#FFFFFF" : "#000000");
      }
    });
    $("scale").hidden = !m || !positive.length;
    if (positive.length) $("range").textContent = `${short(low)} … ${short(high)}`;
  }

  // the player: forward from the first row to the last, then back

  let steps = [];
  function rowsChanged() {
    steps = rows.map((row) => ({ row, back: false }));
    if (showBackward) steps.push(...rows.filter((row) => row.back).reverse().map((row) => ({ row, back: true })));
    $("step").max = steps.length;
    if (step !== null) step = Math.min(step, steps.length);
    if (selected) select(rowOf(selected) ? selected : null);
    search();
    recolour();
    show(false);
  }
  function show(follow = true) {
    const on = step !== null, at = on ? steps[step - 1] : null;
    svg.classList.toggle("playing", on);
    const order = new Map(steps.map((s, k) => [(s.back ? s.row.back : s.row.card).g.id, k + 1]));
    for (const [key, card] of cards) {
      const k = order.get(key);
      card.g.classList.toggle("todo", on && k > step);
      card.g.classList.toggle("now", on && k === step);
    }
    const when = (i, back) => order.get((back ? rows[i].back : rows[i].card).g.id);
    for (const edge of under.querySelectorAll("[data-from]")) {
      const back = edge.classList.contains("gradient"), k = back ? when(edge.dataset.to, true) : when(edge.dataset.to, false);
      edge.classList.toggle("todo", on && k > step);
      edge.classList.toggle("now", on && k === step);
    }
    for (const rung of svg.querySelectorAll("[data-rung]")) {
      const made = when(rung.dataset.rung, false), used = when(rung.dataset.rung, true);
      rung.classList.toggle("todo", on && (made > step || used < step));
      rung.classList.toggle("now", on && (made === step || used === step));
    }
    $("step").value = on ? step : 0;
    const text = on ? (at ? story(at) : "The inputs wait.") : "Step through the forward pass" + (showBackward ? ", then the backward pass." : ".");
    if ($("story").innerHTML !== text) $("story").innerHTML = text;
    $("step").setAttribute("aria-valuetext", $("story").textContent);
    if (at && follow) reveal(at.row);
  }
  function story({ row, back }) {
    const n = row.node, i = rows.indexOf(row), trainable = (n.parameters ?? []).filter((p) => p.trainable !== false).map((p) => p.name);
    const count = steps.filter((s) => s.back === back), where = `<b>${back ? "Backward" : "Forward"} ${count.findIndex((s) => s.row === row) + 1}/${count.length}</b> `;
    const f = row.module == null && data.formulas[data.operations[n.id]], name = `<b>${escape(title(row))}</b>`;
    const sources = edges.filter((e) => e.j === i);
    if (!back) {
      if (n.family === "input") return `${where}${name} is given: ${shape(n.shape)}.`;
      const taken = [...sources.map((e) => escape(title(rows[e.i]))), ...(row.module == null ? trainable.map(escape) : [])];
      return `${where}${name} reads ${taken.join(", ")} and gives ${shape(n.shape)}.` +
        (f && f.forward ? ` <code>y = ${escape(f.forward)}</code>` : "") + (n.kept && row.module == null && row.back ? ` Kept for later: ${escape(n.kept.join(", "))}.` : "");
    }
    if (n.family === "input") return `${where}∂L/∂${escape(n.name)} is complete${typeof n.gradient === "number" ? `: its norm is ${short(n.gradient)}` : ""}.`;
    const given = [...(row.module == null ? trainable.map(escape) : []), ...sources.filter((e) => e.returns).map((e) => escape(title(rows[e.i])))];
    const used = n.kept && row.module == null ? ` and the kept ${escape(n.kept.join(", "))}` : "";
    return `${where}${name} turns ∂L/∂output ${shape(n.shape)}${used} into the gradient of ${given.join(", ") || "nothing"}.` +
      (f ? f.gradients.slice(0, 2).map(([x, text]) => ` <code>∂L/∂${escape(x)} = ${escape(text)}</code>`).join("") : "");
  }
  function go(to) {
    step = to === null ? null : Math.max(0, Math.min(steps.length, to));
    show();
  }
  function play(on = !timer) {
    clearInterval(timer);
    timer = 0;
    if (on) {
      if (step === null || step >= steps.length) go(0);
      timer = setInterval(() => step < steps.length ? go(step + 1) : play(false), +$("pace").value);
    }
    $("play").textContent = timer ? "❚❚" : "▶";
    $("play").setAttribute("aria-label", timer ? "Pause" : "Play");
    $("play").setAttribute("aria-pressed", !!timer);
  }

  // events

  const keyAt = (event) => event.target.closest && event.target.closest("[data-key]")?.dataset.key;
  let drag = null;
  const canvas = $("canvas");
  canvas.addEventListener("pointerdown", (event) => { if (event.button === 0) drag = { x: event.clientX, y: event.clientY, moved: false }; });
  addEventListener("pointermove", (event) => {
    if (!drag || !event.buttons) return;
    if (!drag.moved && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < 4) return;
    aim(camera.x + event.clientX - drag.x, camera.y + event.clientY - drag.y, camera.k);
    drag = { x: event.clientX, y: event.clientY, moved: true };
  });
  canvas.addEventListener("click", (event) => {
    if (drag && drag.moved) return;
    const key = keyAt(event), module = event.target.closest("text") && event.target.closest("[data-module]");
    if (key) { focus(key); select(key); } else if (module) collapse(+module.dataset.module, true); else select(null);
  });
  canvas.addEventListener("dblclick", (event) => { const row = rowOf(keyAt(event)); if (row && row.module != null) collapse(row.module, false); });
  canvas.addEventListener("pointerover", (event) => lit(keyAt(event)));
  canvas.addEventListener("pointerleave", () => lit(null));
  svg.addEventListener("focusin", (event) => lit(keyAt(event)));
  svg.addEventListener("focusout", () => lit(null));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const at = view();
    if (event.ctrlKey || event.metaKey) zoom(Math.exp(-event.deltaY / 300), event.clientX - at.left, event.clientY - at.top);
    else aim(camera.x - event.deltaX, camera.y - event.deltaY, camera.k);
  }, { passive: false });
  $("details").addEventListener("click", (event) => {
    const { go: to, expand } = event.target.dataset;
    if (to) { select(to); focus(to); }
    if (expand) collapse(+expand, false);
  });
  $("search").addEventListener("input", search);
  $("colour").addEventListener("change", recolour);
  $("pace").addEventListener("change", () => { if (timer) { play(false); play(true); } });
  $("step").addEventListener("input", () => { play(false); go(+$("step").value); });
  const themes = ["auto", "light", "dark"];
  const actions = {
    play: () => play(), first: () => go(0), back: () => go((step ?? 0) - 1), next: () => go((step ?? 0) + 1), last: () => go(steps.length),
    fit: () => fit(true), wide: () => fit(false), closer: () => zoom(1.25), farther: () => zoom(0.8),
    collapse: () => collapseAll(1), expand: () => collapseAll(Infinity), close: () => select(null), help: () => $("keys").showModal(),
    backward: () => { showBackward = ladder && !showBackward; $("backward").setAttribute("aria-pressed", showBackward); draw(); fit(false); },
    theme: () => {
      const now = themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % 3];
      document.documentElement.dataset.theme = now;
      $("theme").textContent = "Theme: " + now;
    },
  };
  for (const [name, action] of Object.entries(actions)) $(name)?.addEventListener("click", action);
  const keys = { p: "play", ".": "next", ",": "back", "0": "fit", "1": "wide", "+": "closer", "=": "closer", "-": "farther", C: "collapse", E: "expand", b: "backward", t: "theme", "?": "help" };
  function move(by) {
    const key = document.activeElement.dataset?.key ?? selected, row = key && rowOf(key), i = rows.indexOf(row);
    const next = rows[Math.max(0, Math.min(rows.length - 1, i < 0 ? 0 : i + by))];
    focus(key && row && key !== row.key && next.back ? next.back.g.id : next.key);
  }
  addEventListener("keydown", (event) => {
    const typing = event.target.matches("input[type=search], select"), key = document.activeElement.dataset?.key;
    const row = key && rowOf(key);
    if (event.key === "Escape" && !$("keys").open) {
      if (typing) { $("search").value = ""; search(); }
      else if (selected) { select(null); if (row) focus(key); } else { play(false); go(null); }
      if (typing) focus((rows[0] || {}).key);
      return;
    }
    if (event.target === $("search") && event.key === "Enter") { nextHit(event.shiftKey ? -1 : 1); event.preventDefault(); return; }
    if (typing || event.target === $("step") || event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
    const inside = row && (row.module ?? around(row.node.module).filter((m) => cards.has("m" + m)).pop());
    const moves = { ArrowDown: () => move(1), ArrowUp: () => move(-1), Home: () => move(-1e9), End: () => move(1e9),
      ArrowRight: () => row && row.back && focus(row.back.g.id), ArrowLeft: () => row && focus(row.key),
      c: () => inside != null && collapse(inside, true), e: () => row && row.module != null && collapse(row.module, false),
      "/": () => $("search").focus() };
    if (row && (event.key === "Enter" || event.key === " ")) select(key);
    else if (moves[event.key]) moves[event.key]();
    else if (keys[event.key]) actions[keys[event.key]]();
    else return;
    event.preventDefault();
  });
  addEventListener("resize", () => { if (!selected && step === null) fit(false); });

  // take the static picture over

  for (const child of [...svg.children]) if (child.tagName !== "g" && child.tagName !== "title" && child.tagName !== "defs") child.remove();
  svg.append(world);
  world.append(under, ...[...cards.values()].map((card) => card.g), over);
  for (const name of ["width", "height", "viewBox"]) svg.removeAttribute(name);
  svg.setAttribute("role", "group");
  for (const [key, { g }] of cards) {
    const row = "nb".includes(key[0]) ? byId.get(+key.slice(1)) : data.modules[+key.slice(1)];
    const what = row.kind ? `module ${row.name}, ${row.kind}` : `${row.name}, ${shape(row.shape)}${row.module == null ? "" : ", in " + path(row.module)}`;
    g.setAttribute("aria-label", ("bq".includes(key[0]) ? "gradient of " : "") + what);
  }
  document.body.classList.add("live");
  $("backward").hidden = !ladder;
  draw();
  cards.get(rows[0].key).g.setAttribute("tabindex", 0);
  fit(false);
  if (data.colour) { $("colour").value = data.colour; recolour(); }
})();
