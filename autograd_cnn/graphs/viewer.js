"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("graph").textContent), canvas = $("canvas"), svg = canvas.querySelector("svg");
  const clamp = (v, low, high) => Math.max(low, Math.min(high, v));
  const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const GAP = 27, RAIL = 9, BOX = 9, MARGIN = 14, wide = () => canvas.clientWidth;

  // the cards are drawn already: here they are found, moved, coloured and hidden

  const cards = new Map(), collapsed = new Set(data.collapsed);
  for (const g of svg.querySelectorAll("g[id]")) {
    const [frame, head] = g.querySelectorAll("rect");
    const [x, y, w, h] = ["x", "y", "width", "height"].map((name) => +frame.getAttribute(name));
    const inks = [...g.querySelectorAll("text")].filter((text) => +text.getAttribute("y") < y + 19)
      .flatMap((text) => [text, ...text.children]).map((text) => [text, text.getAttribute("fill")]).filter(([, ink]) => ink);
    cards.set(g.id, { g, x, y, w, h, head, inks, fill: head && head.getAttribute("fill") });
    const back = "bq".includes(g.id[0]), item = data.items[g.id.replace("b", "n").replace("q", "m")];
    const known = { class: "card", role: "button", tabindex: -1, "data-key": g.id, "aria-label": (back ? "gradient of " : "") + item.label };
    for (const name in known) g.setAttribute(name, known[name]);
  }
  const ladder = [...cards.keys()].some((key) => key[0] === "b");
  const around = (module) => {
    const chain = [];
    for (; module != null; module = data.modules[module].parent) chain.unshift(module);
    return chain;
  };
  const layer = () => document.createElementNS("http://www.w3.org/2000/svg", "g");
  const world = layer(), under = layer(), over = layer();
  let backward = ladder, rows = [], edges = [], place, steps = [], size = [1, 1];
  let selected = null, step = null, timer = 0, hits = [], hit = -1, camera = { x: 0, y: 0, k: 1 };
  const rowOf = (key) => key && rows.find((row) => row.key === key || row.backKey === key);
  const mark = (kind, chosen) => cards.forEach((card) => card.g.classList.toggle(kind, chosen.has(card)));
  const both = (row) => [row.card, row.back].filter(Boolean);

  // layout: one node a row, tensors that skip rows on rails, as in the static picture

  function arrange() {
    const found = new Map();
    for (const node of data.nodes) {
      const chain = around(node.module), module = chain.find((m) => collapsed.has(m) && cards.has("m" + m));
      const key = module === undefined ? "n" + node.id : "m" + module;
      const row = found.get(key) ?? { key, module, ids: [], inside: module === undefined ? chain : chain.slice(0, chain.indexOf(module)) };
      row.last = node.id;
      row.ids.push(node.id);
      found.set(key, row);
    }
    rows = [...found.values()].sort((a, b) => a.last - b.last);
    place = new Map(rows.flatMap((row, i) => row.ids.map((id) => [id, i])));
    for (const row of rows) {
      row.item = data.items[row.key];
      row.card = cards.get(row.key);
      row.backKey = row.key.replace("n", "b").replace("m", "q");
      row.back = backward ? cards.get(row.backKey) : undefined;
    }
    const merged = new Map();
    for (const [source, target, shape, bytes, returns, count] of data.edges) {
      const i = place.get(source), j = place.get(target), known = merged.get(i + "," + j);
      if (known) known.count += count, known.returns ||= returns;
      else if (i !== j) merged.set(i + "," + j, { i, j, shape, bytes, count, returns });
    }
    edges = [...merged.values()];
    for (const edge of edges) edge.returns &&= !!(rows[edge.i].back && rows[edge.j].back);
  }
  function rails(skips) {
    const until = new Map(), lanes = new Map();
    for (const { i, j } of skips) until.set(i, Math.max(until.get(i) ?? j, j));
    let busy = [], together = [], used = 0;
    const settle = () => together.forEach(([i, lane]) => lanes.set(i, used - 1 - lane));
    for (const i of [...until.keys()].sort((a, b) => a - b)) {
      busy = busy.filter(([end]) => end > i);
      if (!busy.length) settle(), together = [], used = 0;
      let lane = 0;
      while (busy.some(([, taken]) => taken === lane)) lane++;
      used = Math.max(used, lane + 1);
      busy.push([until.get(i), lane]);
      together.push([i, lane]);
    }
    settle();
    lanes.space = lanes.size ? 12 + RAIL * (1 + Math.max(...lanes.values())) : 0;
    return lanes;
  }
  function boxes() {
    const found = new Map();
    rows.forEach((row, i) => row.inside.forEach((m) => found.set(m, { m, first: found.get(m)?.first ?? i, last: i })));
    const open = [...found.values()].filter((box) => box.first < box.last);
    for (const box of open) box.level = around(box.m).filter((m) => open.some((other) => other.m === m)).length - 1;
    return open;
  }
  const near = (from, to, distance = 4) => {
    const share = Math.min(0.5, distance / (Math.hypot(to[0] - from[0], to[1] - from[1]) || 1));
    return from.map((v, axis) => v + (to[axis] - v) * share);
  };
  function line(points, kind, bytes, ends = "") {
    const bends = points.slice(1, -1).map((b, k) => `L${near(b, points[k])}Q${b} ${near(b, points[k + 2])}`);
    const width = 0.6 + 0.28 * Math.max(0, Math.log2(Math.max(bytes, 1) / 256)), tip = near(points.at(-1), points.at(-2), 7);
    return `<path d="M${points[0]}${bends.join("")}L${tip}" class="edge ${kind}" stroke-width="${width.toFixed(2)}" ${ends}/>`;
  }
  const label = (x, y, text, kind = "", anchor = "start", more = "") =>
    `<text x="${x}" y="${y + 3}" text-anchor="${anchor}" class="label ${kind}" ${more}>${escape(text)}</text>`;

  function draw() {
    arrange();
    const open = boxes(), gutters = [0], skips = edges.filter((e) => e.j !== e.i + 1);
    for (const { level, m } of open) gutters[level] = Math.max(gutters[level] ?? 0, data.modules[m].width + 18);
    const before = (level) => gutters.slice(0, level).reduce((a, b) => a + b, MARGIN);
    const left = rails(skips), right = rails(skips.filter((e) => e.returns)), kept = (row) => row.back && row.item.kept;
    const column = Math.max(...rows.map((row) => row.card.w)), middle = before(99) + (left.space || 0) + BOX + column / 2;
    const border = middle + column / 2 + (open.length ? BOX + 6 * gutters.length : 0);
    const rung = Math.max(70, ...rows.map((row) => (kept(row) || "").length * 4.7)) + 24;
    const backColumn = Math.max(60, ...rows.map((row) => row.back?.w ?? 0)), mirror = border + rung + backColumn / 2;
    let y = MARGIN + (backward ? 34 : 8);
    rows.forEach((row, i) => {
      y += 10 * open.filter((box) => box.first === i).length;
      row.top = y;
      row.height = Math.max(...both(row).map((card) => card.h));
      row.bottom = y += row.height;
      for (const box of open.filter((other) => other.last === i)) y = Math.max(y, rows[box.first].top + 13 * data.modules[box.m].caption.length) + 10;
      y += GAP;
      for (const card of both(row)) {
        card.middle = card === row.card ? middle : mirror;
        card.g.setAttribute("transform", `translate(${card.middle - card.w / 2 - card.x},${row.top - card.y})`);
      }
    });
    const back = [], marks = [], arrivals = {};
    const arrive = (row, side) => row.top + Math.min(5 + 6.5 * (arrivals[row.key + side] = (arrivals[row.key + side] ?? -1) + 1), row.height - 7);
    for (const { m, level, first, last } of open) {
      const nested = (end) => open.filter((box) => box[end] === { first, last }[end] && box.level > level).length;
      const { caption, name } = data.modules[m], x = before(level), top = rows[first].top - BOX - 8 * nested("first");
      const end = Math.max(rows[last].bottom + BOX, rows[first].top + 13 * caption.length) + 8 * nested("last");
      back.push(`<g class="module" data-module="${m}"><title>Collapse ${escape(name)}</title><rect x="${x}" y="${top}" rx="8" width="${border - 6 * level - x}" height="${end - top}"/>`,
        ...caption.map((text, k) => `<text x="${x + 8}" y="${rows[first].top + 7 + 13 * k}" class="${k ? "label" : "name"}">${k ? "" : "▾ "}${escape(text)}</text>`), "</g>");
    }
    for (const { i, j, shape, bytes, count, returns } of edges) {
      const a = rows[i], b = rows[j], ends = `data-from="${i}" data-to="${j}"`, half = (a.bottom + b.top) / 2;
      if (j === i + 1) {
        back.push(line([[middle, a.bottom], [middle, b.top]], "", bytes, ends));
        marks.push(label(middle + 8, half, shape + (count > 1 ? ` (×${count})` : "")));
        if (returns) back.push(line([[mirror, b.top], [mirror, a.bottom]], "gradient", bytes, ends));
        if (returns) marks.push(label(mirror + 8, half, "grad " + shape, "gradient"));
        continue;
      }
      const x = middle - column / 2 - 12 - RAIL * left.get(i), start = middle - a.card.w / 2, out = a.bottom - 5, into = arrive(b, "in");
      back.push(line([[start, out], [x, out], [x, into], [middle - b.card.w / 2, into]], "", bytes, ends));
      if (!edges.some((e) => e.i === i && e.j === i + 1)) marks.push(label(start + 2, a.bottom + 8, shape));
      const lane = mirror + backColumn / 2 + 12 + RAIL * right.get(i), leave = returns && arrive(b, "out");
      if (returns) back.push(line([[mirror + b.back.w / 2, leave], [lane, leave], [lane, out], [mirror + a.back.w / 2, out]], "gradient", bytes, ends));
    }
    const between = (border + mirror - backColumn / 2) / 2;
    rows.forEach((row, i) => {
      if (backward && !row.back) marks.push(label(mirror, row.top + row.height / 2, "no gradient asked for", "", "middle"));
      if (!kept(row)) return;
      back.push(`<path d="M${middle + row.card.w / 2},${row.top + 13}H${mirror - row.back.w / 2}" class="rung" data-rung="${i}"/>`);
      marks.push(label(between, row.top + 6, kept(row), "", "middle", `data-rung="${i}"`));
    });
    for (const row of backward ? data.outputs.map((id) => rows[place.get(id)]).filter((row) => row.back) : []) {
      const end = row === rows.at(-1), low = row.bottom + (end ? 16 : -3);
      const points = end ? [[middle, row.bottom], [middle, low], [mirror, low], [mirror, row.bottom]] : [[middle + row.card.w / 2, low], [mirror - row.back.w / 2, low]];
      back.push(line(points, "seed", 8e3));
      marks.push(label(between, low + 9, end ? "seed ∂L/∂L = 1" : "seed 1", "", "middle"));
    }
    if (backward) marks.push(label(middle, 21, "forward", "heading", "middle"), label(mirror, 21, "backward", "heading", "middle"));
    under.innerHTML = back.join("");
    over.innerHTML = marks.join("");
    mark("here", new Set(rows.flatMap(both)));
    size = [backward ? mirror + backColumn / 2 + (right.space || 0) + MARGIN : border + 90, y];
    steps = rows.map((row) => ({ row, key: row.key, text: row.item.forward }));
    if (backward) steps.push(...rows.filter((row) => row.back).reverse().map((row) => ({ row, key: row.backKey, text: row.item.backward })));
    $("step").max = steps.length;
    select(selected);
    search();
    recolour();
    go(step === null ? null : Math.min(step, steps.length), false);
  }

  // camera

  function aim(x, y, k = camera.k, glide = false) {
    camera = { x, y, k: clamp(k, 0.02, 8) };
    world.classList.toggle("gliding", glide);
    world.style.transform = `translate(${x}px,${y}px) scale(${camera.k})`;
  }
  function fit(whole) {
    const w = wide(), h = canvas.clientHeight, k = whole ? Math.min(w / size[0], h / size[1], 2) : Math.min(w / size[0], 1.35);
    aim((w - size[0] * k) / 2, Math.max(0, whole ? (h - size[1] * k) / 2 : 0), k);
  }
  function zoom(factor, x = wide() / 2, y = canvas.clientHeight / 2) {
    const f = clamp(camera.k * factor, 0.02, 8) / camera.k;
    aim(x - (x - camera.x) * f, y - (y - camera.y) * f, camera.k * f);
  }
  function reveal(row) {
    const h = canvas.clientHeight, at = (row.top + row.height / 2) * camera.k;
    if (camera.y + at < h * 0.15 || camera.y + at > h * 0.75) aim(camera.x, h * 0.42 - at, camera.k, true);
  }

  // selection, neighbours, search

  function lit(key) {
    const row = rowOf(key), i = rows.indexOf(row), bright = new Set(row && both(row));
    svg.classList.toggle("hovering", !!row);
    for (const path of under.querySelectorAll("[data-from]")) {
      const { from, to } = path.dataset, touches = +from === i || +to === i;
      path.classList.toggle("lit", touches);
      if (touches) [...both(rows[from]), ...both(rows[to])].forEach((card) => bright.add(card));
    }
    mark("lit", bright);
  }
  function focus(key) {
    if (!rowOf(key)) return;
    for (const [other, { g }] of cards) g.setAttribute("tabindex", other === key ? 0 : -1);
    cards.get(key).g.focus({ preventScroll: true });
    reveal(rowOf(key));
  }
  function select(key) {
    const row = rowOf(key), i = rows.indexOf(row);
    selected = row ? key : null;
    const room = wide() / size[0];
    document.body.classList.toggle("open", !!row);
    const k = Math.min(camera.k, wide() / size[0]);
    if (row && camera.k <= room) aim((wide() - size[0] * k) / 2, camera.y + row.top * (camera.k - k), k);
    mark("selected", new Set(row && both(row)));
    if (!row) return;
    const links = (here, there) => edges.filter((e) => e[here] === i).map((e) =>
      `<button data-go="${rows[e[there]].key}">${escape(rows[e[there]].item.title)}</button> ${e.shape}`).join("<br>") || "–";
    $("details").innerHTML = row.item.about + (data.formulas[row.item.formula] ?? "");
    $("details").querySelector("#reads").innerHTML = links("j", "i");
    $("details").querySelector("#readers").innerHTML = links("i", "j");
  }
  function search() {
    const wanted = $("search").value.trim().toLowerCase();
    hits = wanted ? data.nodes.filter((node) => data.items["n" + node.id].words.includes(wanted)) : [];
    hit = -1;
    svg.classList.toggle("searching", !!wanted);
    mark("hit", new Set(hits.flatMap((node) => both(rows[place.get(node.id)]))));
    $("found").textContent = wanted ? hits.length + (hits.length === 1 ? " hit" : " hits") : "";
  }
  function nextHit(by) {
    if (!hits.length) return;
    const all = hits, at = (hit + by + all.length) % all.length, chain = around(all[at].module).filter((m) => collapsed.delete(m));
    if (chain.length) draw();
    hit = at;
    $("found").textContent = `${hit + 1} of ${all.length}`;
    select("n" + all[at].id);
    reveal(rowOf(selected));
  }

  // modules and colours

  function collapse(module, yes) {
    const first = () => rows.find((row) => row.module === module || row.inside.includes(module));
    const old = first().top;
    if (yes) collapsed.add(module); else collapsed.delete(module);
    draw();
    aim(camera.x, camera.y + (old - first().top) * camera.k);
    focus(first().key);
  }
  function collapseAll(yes) {
    collapsed.clear();
    if (yes) data.modules.forEach((_, m) => collapsed.add(m));
    draw();
    fit(false);
  }
  function recolour() {
    const m = data.metrics.findIndex(({ key }) => key === $("colour").value), values = rows.map((row) => row.item.values[m]);
    const some = values.filter((v) => v > 0), low = Math.min(...some), high = Math.max(...some);
    rows.forEach(({ card }, i) => {
      const v = values[i], share = high > low ? Math.log(v / low) / Math.log(high / low) : 0;
      const at = Math.min(data.heat.length - 1, Math.floor(share * data.heat.length));
      card.head.setAttribute("fill", m < 0 ? card.fill : v > 0 ? data.heat[at] : v === 0 ? "#FFFFFF" : "#9A9A9A");
      for (const [text, ink] of card.inks) text.setAttribute("fill", m < 0 ? ink : v > 0 && at < 5 ? "#FFFFFF" : "#000000");
    });
    $("scale").hidden = m < 0;
    $("range").textContent = some.length ? `${low.toPrecision(2)} … ${high.toPrecision(2)}, log` : "all 0";
  }

  // the player: forward from the first row to the last, then back; kept values live between

  function go(to, follow = true) {
    step = to === null ? null : clamp(to, 0, steps.length);
    const active = step !== null, now = active && steps[step - 1], order = new Map(steps.map(({ key }, k) => [key, k + 1]));
    const time = (thing, late, current) => {
      thing.classList.toggle("todo", active && late);
      thing.classList.toggle("now", active && current);
    };
    svg.classList.toggle("playing", active);
    for (const [key, { g }] of cards) time(g, order.get(key) > step, order.get(key) === step);
    for (const path of under.querySelectorAll("[data-from]")) {
      const row = rows[path.dataset.to], k = order.get(path.matches(".gradient") ? row.backKey : row.key);
      time(path, k > step, k === step);
    }
    for (const rung of svg.querySelectorAll("[data-rung]")) {
      const row = rows[rung.dataset.rung], made = order.get(row.key), used = order.get(row.backKey);
      time(rung, made > step || used < step, made === step || used === step);
    }
    $("step").value = step ?? 0;
    $("story").innerHTML = now ? now.text : active ? "Nothing has run yet." : data.hint;
    $("count").textContent = active ? `${step} / ${steps.length}` : "";
    $("step").setAttribute("aria-valuetext", $("story").textContent);
    if (now && follow) reveal(now.row);
  }
  function play(start = !timer) {
    clearInterval(timer);
    timer = 0;
    if (start && (step ?? steps.length) >= steps.length) go(0);
    if (start) timer = setInterval(() => step < steps.length ? go(step + 1) : play(false), +$("pace").value);
    $("play").textContent = start ? "❚❚" : "▶";
    $("play").setAttribute("aria-label", start ? "Pause" : "Play");
  }

  // events

  const on = (thing, name, action, options) => thing.addEventListener(name, action, options);
  const keyAt = (event) => event.target.closest?.("[data-key]")?.dataset.key;
  let moved = 0;
  on(canvas, "pointerdown", () => { moved = 0; });
  on(canvas, "pointermove", ({ buttons, movementX: x, movementY: y }) => {
    if (buttons & 1 && (moved += Math.hypot(x, y)) > 4) aim(camera.x + x, camera.y + y);
  });
  on(canvas, "click", (event) => {
    if (moved > 4 || event.detail > 1) return;
    const key = keyAt(event), module = event.target.closest("text") && event.target.closest("[data-module]");
    select(key);
    if (key) focus(key);
    if (module) collapse(+module.dataset.module, true);
  });
  on(canvas, "dblclick", () => {
    // the first click may have moved the card away from under the second one
    const module = rowOf(selected)?.module;
    if (module !== undefined) collapse(module, false);
  });
  on(canvas, "pointerover", (event) => lit(keyAt(event)));
  on(canvas, "pointerleave", () => lit());
  on(svg, "focusin", (event) => lit(keyAt(event)));
  on(svg, "focusout", () => lit());
  on(canvas, "wheel", (event) => {
    event.preventDefault();
    const at = canvas.getBoundingClientRect();
    if (event.ctrlKey || event.metaKey) zoom(Math.exp(-event.deltaY / 300), event.clientX - at.left, event.clientY - at.top);
    else aim(camera.x - event.deltaX, camera.y - event.deltaY);
  }, { passive: false });
  on($("details"), "click", ({ target: { dataset } }) => {
    if (dataset.go) { select(dataset.go); focus(dataset.go); }
    if (dataset.expand) collapse(+dataset.expand, false);
  });
  on($("search"), "input", search);
  on($("colour"), "change", recolour);
  on($("pace"), "change", () => timer && play(true));
  on($("step"), "input", () => { play(false); go(+$("step").value); });
  const actions = {
    play: () => play(), back: () => go((step ?? 0) - 1), next: () => go((step ?? 0) + 1),
    fit: () => fit(true), wide: () => fit(false), closer: () => zoom(1.25), farther: () => zoom(0.8),
    collapse: () => collapseAll(true), expand: () => collapseAll(false), close: () => select(), help: () => $("keys").showModal(),
    backward: () => { backward = ladder && !backward; $("backward").setAttribute("aria-pressed", backward); draw(); fit(false); },
    theme: () => {
      const themes = ["auto", "light", "dark"], root = document.documentElement.dataset;
      root.theme = themes[(themes.indexOf(root.theme) + 1) % 3];
      $("theme").title = `Theme: ${root.theme} (t)`;
    },
  };
  for (const [name, action] of Object.entries(actions)) on($(name), "click", action);
  const keys = { p: "play", ".": "next", ",": "back", 0: "fit", 1: "wide", "+": "closer", "=": "closer", "-": "farther", C: "collapse", E: "expand", b: "backward", t: "theme", "?": "help" };
  function move(by) {
    const key = document.activeElement.dataset?.key ?? selected, i = rows.indexOf(rowOf(key)), mirrored = key && "bq".includes(key[0]);
    const row = rows[i < 0 ? 0 : clamp(i + by, 0, rows.length - 1)];
    focus(mirrored && row.back ? row.backKey : row.key);
  }
  on(window, "keydown", (event) => {
    const typing = event.target.matches("#search, select, #step"), key = document.activeElement.dataset?.key, row = rowOf(key);
    if ($("keys").open || event.ctrlKey || event.metaKey || event.altKey) return;
    const inner = row && (row.module ?? row.inside.filter((m) => cards.has("m" + m)).at(-1));
    const local = {
      ArrowDown: () => move(1), ArrowUp: () => move(-1), Home: () => move(-1e9), End: () => move(1e9),
      ArrowRight: () => row?.back && focus(row.backKey), ArrowLeft: () => row && focus(row.key), "/": () => $("search").focus(),
      c: () => inner !== undefined && collapse(inner, true), e: () => row?.module !== undefined && collapse(row.module, false),
    }, action = local[event.key] ?? actions[keys[event.key]];
    if (event.key === "Escape") {
      if (typing) { $("search").value = ""; search(); focus(rows[0].key); }
      else if (selected) { select(); focus(key); }
      else { play(false); go(null); }
    }
    else if (event.target.id === "search" && event.key === "Enter") nextHit(event.shiftKey ? -1 : 1);
    else if (typing) return;
    else if (row && (event.key === "Enter" || event.key === " ")) select(key);
    else if (action) action();
    else return;
    event.preventDefault();
  });

  // take the static picture over

  for (const child of [...svg.children]) if (!/^(g|title|defs)$/.test(child.tagName)) child.remove();
  for (const name of ["width", "height", "viewBox"]) svg.removeAttribute(name);
  svg.setAttribute("role", "group");
  world.append(under, ...[...cards.values()].map(({ g }) => g), over);
  svg.append(world);
  document.body.classList.add("live");
  $("backward").hidden = !ladder;
  $("colour").value = data.colour;
  draw();
  cards.get(rows[0].key).g.setAttribute("tabindex", 0);
  fit(false);
})();
