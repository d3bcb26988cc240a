"use strict";
// The cube viewer of a report, and its enlarged pictures. Nothing is loaded: cubes lie in the page, as pack.rs writes them.
(() => {
  const byId = (id) => document.getElementById(id);
  const { cubes, maps } = JSON.parse(byId("report-data").textContent);

  const large = byId("large");
  if (large) {
    document.querySelectorAll("button.zoom").forEach((button) => {
      button.addEventListener("click", () => {
        const from = button.querySelector("img");
        const to = large.querySelector("img");
        to.src = from.src;
        to.alt = from.alt;
        large.showModal();
      });
    });
  }
  if (cubes.length === 0) return;

  const ui = Object.fromEntries(
    ["cube", "plane", "stretch", "map", "low", "high", "log", "wave", "wave-out", "image", "image-says", "spectrum", "spectrum-says",
      "cursor", "chosen", "values"].map((name) => [name, byId(`v-${name}`)]),
  );
  const state = { cube: null, z: 0, hover: null, region: null, spectrum: null, drag: null, turn: 0 };
  // the last cubes that were unpacked, by their number
  const kept = new Map();

  // ---- bytes

  async function unpack(number) {
    if (kept.has(number)) return kept.get(number);
    const about = cubes[number];
    const text = atob(byId(`cube-${number}`).textContent);
    const packed = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const raw = new Uint8Array(await new Response(stream).arrayBuffer());
    const [nz, ny, nx] = about.shape;
    const n = nz * ny * nx;
    const bits = new Uint32Array(n);
    for (let i = 0; i < n; i++) bits[i] = (raw[i] << 8) | (raw[n + i] << 16) | (raw[2 * n + i] << 24);
    const m = ny * nx;
    let at = 3 * n;
    const planes = about.planes.map(({ name, unit, size }) => {
      const bytes = new Uint8Array(size * m);
      for (let k = 0; k < size; k++) for (let i = 0; i < m; i++) bytes[i * size + k] = raw[at + k * m + i];
      at += size * m;
      return { name, unit, values: size === 4 ? new Float32Array(bytes.buffer) : new Float64Array(bytes.buffer) };
    });
    const cube = { about, number, nz, ny, nx, sci: new Float32Array(bits.buffer), planes, wavelength: about.wavelength };
    kept.set(number, cube);
    // two at a time, so that many cubes do not fill the memory
    if (kept.size > 2) kept.delete(kept.keys().next().value);
    return cube;
  }

  // ---- numbers

  function say(value, digits = 6) {
    if (Number.isNaN(value)) return "NaN";
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
    const size = Math.abs(value);
    const text = size !== 0 && (size < 1e-3 || size >= 1e7) ? value.toExponential(digits - 1) : String(Number(value.toPrecision(digits)));
    return text.replace("-", "−");
  }

  function limits(values, low, high) {
    const good = Float64Array.from(values.filter((v) => Number.isFinite(v))).sort();
    if (good.length === 0) return null;
    const at = (percent) => good[Math.round((Math.min(Math.max(percent, 0), 100) / 100) * (good.length - 1))];
    return [at(low), at(high)];
  }

  const STRETCH = {
    linear: (t) => t,
    asinh: (t) => Math.asinh(10 * t) / Math.asinh(10),
    log: (t) => Math.log10(1 + 999 * t) / 3,
  };

  function ticks(low, high, most) {
    const rough = (high - low) / most;
    const ten = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((k) => k * ten).find((s) => s >= rough) ?? 10 * ten;
    const out = [];
    for (let k = Math.ceil(low / step); k * step <= high * (1 + 1e-12) + 1e-300 && out.length < 50; k++) out.push(k * step);
    return { out, step };
  }

  function tickText(value, step) {
    const size = Math.max(Math.abs(value), step);
    if (size >= 1e6 || size < 1e-3) return value.toExponential(1).replace("-", "−");
    return value.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9))).replace("-", "−");
  }

  // ---- what is chosen

  const inside = (cube, x, y) => x >= 0 && y >= 0 && x < cube.nx && y < cube.ny;

  function plane() {
    const cube = state.cube;
    const name = ui.plane.value;
    if (name === "") {
      const m = cube.ny * cube.nx;
      return { name: "SCI", unit: cube.about.unit, values: cube.sci.subarray(state.z * m, (state.z + 1) * m) };
    }
    return cube.planes[Number(name)];
  }

  function measure() {
    const { cube, region } = state;
    const m = cube.ny * cube.nx;
    const mean = new Float64Array(cube.nz);
    for (let z = 0; z < cube.nz; z++) {
      let sum = 0;
      let count = 0;
      for (let y = region.y0; y <= region.y1; y++) {
        for (let x = region.x0; x <= region.x1; x++) {
          const v = cube.sci[z * m + y * cube.nx + x];
          if (!Number.isNaN(v)) {
            sum += v;
            count += 1;
          }
        }
      }
      mean[z] = count > 0 ? sum / count : NaN;
    }
    state.spectrum = mean;
  }

  function choose(x0, y0, x1, y1) {
    const { nx, ny } = state.cube;
    const clip = (v, n) => Math.min(Math.max(v, 0), n - 1);
    const [a, b, c, d] = [clip(x0, nx), clip(x1, nx), clip(y0, ny), clip(y1, ny)];
    state.region = { x0: Math.min(a, b), x1: Math.max(a, b), y0: Math.min(c, d), y1: Math.max(c, d) };
    measure();
    draw();
  }

  function moveTo(z) {
    state.z = Math.min(Math.max(Math.round(z), 0), state.cube.nz - 1);
    draw();
  }

  // ---- drawing

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  function canvas(element, height) {
    const width = Math.max(element.clientWidth, 200);
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (element.width !== w || element.height !== h) {
      element.style.height = `${height}px`;
      element.width = w;
      element.height = h;
    }
    const context = element.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = "12px system-ui, sans-serif";
    return { context, width, height };
  }

  const BAR = 34;

  function imagePlace() {
    const { nx, ny } = state.cube;
    const width = Math.max(ui.image.clientWidth, 200);
    const scale = Math.min((width - 16) / nx, 560 / ny);
    return { scale, left: (width - scale * nx) / 2, top: 8, width: scale * nx, height: scale * ny };
  }

  function spaxelAt(event) {
    const place = imagePlace();
    const x = Math.floor((event.offsetX - place.left) / place.scale);
    const y = state.cube.ny - 1 - Math.floor((event.offsetY - place.top) / place.scale);
    return [x, y];
  }

  // direction on the image of growing plane values, from the middle of the field
  function gradient(name) {
    const { cube } = state;
    const found = cube.planes.find((p) => p.name === name);
    const [x, y] = [Math.floor(cube.nx / 2), Math.floor(cube.ny / 2)];
    if (!found || x < 1 || y < 1 || x + 1 >= cube.nx || y + 1 >= cube.ny) return null;
    const at = (i, j) => found.values[j * cube.nx + i];
    const turn = (v) => (name === "RA" ? v - 360 * Math.round(v / 360) : v);
    const d = [turn(at(x + 1, y) - at(x - 1, y)), turn(at(x, y + 1) - at(x, y - 1))];
    const size = Math.hypot(...d);
    return size > 0 ? d.map((v) => v / size) : null;
  }

  function drawImage() {
    const { cube } = state;
    const place = imagePlace();
    const { context, width, height } = canvas(ui.image, place.top + place.height + BAR);
    const shown = plane();
    const range = limits(shown.values, Number(ui.low.value), Number(ui.high.value));
    const table = maps[ui.map.value];
    const stretch = STRETCH[ui.stretch.value];
    const picture = new ImageData(cube.nx, cube.ny);
    if (range) {
      const [low, high] = range;
      for (let y = 0; y < cube.ny; y++) {
        for (let x = 0; x < cube.nx; x++) {
          const v = shown.values[y * cube.nx + x];
          if (Number.isNaN(v)) continue;
          const t = high > low ? Math.min(Math.max((v - low) / (high - low), 0), 1) : 0.5;
          const k = 3 * Math.round(255 * stretch(t));
          // rows of pictures go down
          const to = 4 * ((cube.ny - 1 - y) * cube.nx + x);
          picture.data[to] = table[k];
          picture.data[to + 1] = table[k + 1];
          picture.data[to + 2] = table[k + 2];
          picture.data[to + 3] = 255;
        }
      }
    }
    const small = document.createElement("canvas");
    small.width = cube.nx;
    small.height = cube.ny;
    small.getContext("2d").putImageData(picture, 0, 0);
    context.fillStyle = colour("nan");
    context.fillRect(place.left, place.top, place.width, place.height);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, place.left, place.top, place.width, place.height);
    frame(context, place);
    compass(context, place);
    bar(context, width, height, shown, range, table, stretch);
    const what = ui.plane.value === "" ? `at ${say(cube.wavelength[state.z])} µm` : "";
    ui["image-says"].textContent = `${shown.name} ${what}${shown.unit ? ` (${shown.unit})` : ""}; grey has no value.`;
  }

  function frame(context, place) {
    const r = state.region;
    const ny = state.cube.ny;
    const box = [
      place.left + r.x0 * place.scale, place.top + (ny - 1 - r.y1) * place.scale,
      (r.x1 - r.x0 + 1) * place.scale, (r.y1 - r.y0 + 1) * place.scale,
    ];
    context.lineJoin = "miter";
    for (const [line, style] of [[4, "#000"], [2, "#fff"]]) {
      context.lineWidth = line;
      context.strokeStyle = style;
      context.strokeRect(...box);
    }
  }

  function compass(context, place) {
    const middle = [place.left + 30, place.top + place.height - 30];
    context.lineJoin = "round";
    for (const [name, letter] of [["DEC", "N"], ["RA", "E"]]) {
      const d = gradient(name);
      if (!d) continue;
      const end = [middle[0] + 17 * d[0], middle[1] - 17 * d[1]];
      context.font = "bold 12px system-ui, sans-serif";
      context.textAlign = "center";
      context.textBaseline = "middle";
      for (const [line, style] of [[4, "#000"], [1.5, "#fff"]]) {
        context.lineWidth = line;
        context.strokeStyle = style;
        context.beginPath();
        context.moveTo(...middle);
        context.lineTo(...end);
        context.stroke();
        if (line === 4) context.strokeText(letter, middle[0] + 25 * d[0], middle[1] - 25 * d[1]);
      }
      context.fillStyle = "#fff";
      context.fillText(letter, middle[0] + 25 * d[0], middle[1] - 25 * d[1]);
    }
  }

  function bar(context, width, height, shown, range, table, stretch) {
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = colour("fore");
    context.textBaseline = "alphabetic";
    if (!range) {
      context.textAlign = "center";
      context.fillText("no valid value", width / 2, height - 8);
      return;
    }
    const [left, right, top] = [width * 0.25, width * 0.75, height - 24];
    for (let x = 0; x < right - left; x++) {
      const k = 3 * Math.round(255 * stretch(x / (right - left)));
      context.fillStyle = `rgb(${table[k]} ${table[k + 1]} ${table[k + 2]})`;
      context.fillRect(left + x, top, 1.5, 12);
    }
    context.fillStyle = colour("fore");
    context.textAlign = "right";
    context.fillText(say(range[0], 4), left - 6, top + 11);
    context.textAlign = "left";
    context.fillText(say(range[1], 4), right + 6, top + 11);
  }

  function spectrumPlace() {
    const width = Math.max(ui.spectrum.clientWidth, 200);
    return { left: 70, right: width - 14, top: 12, bottom: 330 };
  }

  function drawSpectrum() {
    const { cube, spectrum } = state;
    const { context, width, height } = canvas(ui.spectrum, 380);
    const p = spectrumPlace();
    const wave = cube.wavelength;
    const logarithmic = ui.log.checked;
    const good = spectrum.filter((v) => Number.isFinite(v) && (!logarithmic || v > 0));
    const fore = colour("fore");
    context.strokeStyle = colour("line");
    context.fillStyle = fore;
    context.lineWidth = 1;
    context.strokeRect(p.left, p.top, p.right - p.left, p.bottom - p.top);
    const [first, last] = [wave[0], wave[wave.length - 1]];
    const toX = (w) => p.left + ((w - first) / (last - first || 1)) * (p.right - p.left);
    context.textAlign = "center";
    context.textBaseline = "top";
    const along = ticks(first, last, Math.max(2, (p.right - p.left) / 80));
    for (const t of last > first ? along.out : [first]) {
      context.beginPath();
      context.moveTo(toX(t), p.bottom);
      context.lineTo(toX(t), p.bottom + 5);
      context.stroke();
      context.fillText(last > first ? tickText(t, along.step) : say(t), toX(t), p.bottom + 8);
    }
    context.fillText("Wavelength (µm)", (p.left + p.right) / 2, p.bottom + 28);
    context.save();
    context.translate(14, (p.top + p.bottom) / 2);
    context.rotate(-Math.PI / 2);
    context.textBaseline = "middle";
    context.fillText(cube.about.unit || "value", 0, 0);
    context.restore();
    if (good.length === 0) {
      context.textBaseline = "middle";
      context.fillText(logarithmic ? "no positive value" : "no valid value", (p.left + p.right) / 2, (p.top + p.bottom) / 2);
    } else {
      const scale = logarithmic ? Math.log10 : (v) => v;
      let [low, high] = [Infinity, -Infinity];
      for (const v of good) {
        low = Math.min(low, scale(v));
        high = Math.max(high, scale(v));
      }
      const pad = 0.05 * (high - low) || Math.abs(high) * 0.05 || 1;
      [low, high] = [low - pad, high + pad];
      const toY = (v) => p.bottom - ((scale(v) - low) / (high - low)) * (p.bottom - p.top);
      const up = ticks(low, high, 6);
      context.textAlign = "right";
      context.textBaseline = "middle";
      for (const t of up.out) {
        const y = p.bottom - ((t - low) / (high - low)) * (p.bottom - p.top);
        context.beginPath();
        context.moveTo(p.left - 5, y);
        context.lineTo(p.left, y);
        context.stroke();
        context.fillText(logarithmic ? say(10 ** t, 3) : tickText(t, up.step), p.left - 8, y);
      }
      context.strokeStyle = colour("accent");
      context.lineWidth = 1.25;
      context.beginPath();
      let pen = false;
      for (let z = 0; z < cube.nz; z++) {
        const v = spectrum[z];
        const drawn = Number.isFinite(v) && (!logarithmic || v > 0);
        if (drawn && pen) context.lineTo(toX(wave[z]), toY(v));
        else if (drawn) context.moveTo(toX(wave[z]), toY(v));
        // a value alone between gaps is a point
        if (drawn && !pen) context.lineTo(toX(wave[z]) + 0.5, toY(v));
        pen = drawn;
      }
      context.stroke();
    }
    context.strokeStyle = fore;
    context.lineWidth = 1;
    context.setLineDash([4, 3]);
    context.beginPath();
    context.moveTo(toX(wave[state.z]), p.top);
    context.lineTo(toX(wave[state.z]), p.bottom);
    context.stroke();
    context.setLineDash([]);
    ui["spectrum-says"].textContent = `${cube.about.file}`;
  }

  function read() {
    const { cube, region, hover, spectrum, z } = state;
    const unit = cube.about.unit ? ` ${cube.about.unit}` : "";
    const m = cube.ny * cube.nx;
    const wave = `${say(cube.wavelength[z])} µm`;
    ui.wave.value = String(z);
    ui.wave.setAttribute("aria-valuetext", wave);
    ui["wave-out"].textContent = wave;
    if (hover) {
      const v = cube.sci[z * m + hover[1] * cube.nx + hover[0]];
      ui.cursor.textContent = `Under the cursor: x ${hover[0]}, y ${hover[1]} at ${wave}: ${say(v)}${unit}`;
    } else {
      ui.cursor.textContent = "Nothing is under the cursor.";
    }
    const one = region.x0 === region.x1 && region.y0 === region.y1;
    const where = one ? `x ${region.x0}, y ${region.y0}` : `x ${region.x0} to ${region.x1}, y ${region.y0} to ${region.y1}`;
    ui.chosen.textContent = `Chosen: ${where} at ${wave}: ${one ? "" : "mean "}${say(spectrum[z])}${unit}`;
    cube.planes.forEach((p, k) => {
      const cells = ui.values.rows[k].cells;
      const digits = p.name === "RA" || p.name === "DEC" ? 9 : 6;
      cells[2].textContent = hover ? say(p.values[hover[1] * cube.nx + hover[0]], digits) : "";
      let [low, high] = [Infinity, -Infinity];
      for (let y = region.y0; y <= region.y1; y++) {
        for (let x = region.x0; x <= region.x1; x++) {
          const v = p.values[y * cube.nx + x];
          if (v < low) low = v;
          if (v > high) high = v;
        }
      }
      if (low > high) cells[3].textContent = "NaN";
      else cells[3].textContent = one || low === high ? say(low, digits) : `${say(low, digits)} to ${say(high, digits)}`;
    });
  }

  function draw() {
    if (!state.cube) return;
    drawImage();
    drawSpectrum();
    read();
  }

  // ---- choosing a cube

  async function show(number) {
    const turn = ++state.turn;
    ui.chosen.textContent = "Unpacking …";
    let cube;
    try {
      cube = await unpack(number);
    } catch (e) {
      ui.chosen.textContent = `The cube cannot be unpacked by this browser: ${e}`;
      return;
    }
    // another was chosen meanwhile
    if (turn !== state.turn) return;
    const before = state.cube;
    const wave = before ? before.wavelength[state.z] : NaN;
    const name = before && ui.plane.value !== "" ? before.planes[Number(ui.plane.value)].name : "";
    state.cube = cube;
    state.hover = null;
    const near = cube.wavelength.reduce((best, w, k) => (Math.abs(w - wave) < Math.abs(cube.wavelength[best] - wave) ? k : best), 0);
    const covered = wave >= cube.wavelength[0] && wave <= cube.wavelength[cube.nz - 1];
    state.z = covered ? near : Math.floor(cube.nz / 2);
    ui.wave.max = String(cube.nz - 1);
    ui.plane.replaceChildren(new Option("SCI at the wavelength", ""), ...cube.planes.map((p, k) => new Option(p.name, String(k))));
    const same = cube.planes.findIndex((p) => p.name === name);
    ui.plane.value = same >= 0 ? String(same) : "";
    ui.values.replaceChildren(
      ...cube.planes.map((p) => {
        const row = document.createElement("tr");
        const head = document.createElement("th");
        head.scope = "row";
        head.textContent = p.name;
        const cells = [p.unit, "", ""].map((text) => {
          const cell = document.createElement("td");
          cell.textContent = text;
          return cell;
        });
        row.append(head, ...cells);
        return row;
      }),
    );
    choose(Math.floor(cube.nx / 2), Math.floor(cube.ny / 2), Math.floor(cube.nx / 2), Math.floor(cube.ny / 2));
  }

  for (const name of Object.keys(maps)) ui.map.append(new Option(name, name));
  ui.map.value = "viridis" in maps ? "viridis" : Object.keys(maps)[0];
  ui.cube.addEventListener("change", () => show(Number(ui.cube.value)));
  for (const name of ["plane", "stretch", "map", "low", "high", "log"]) ui[name].addEventListener("input", draw);
  ui.wave.addEventListener("input", () => state.cube && moveTo(Number(ui.wave.value)));

  // ---- the image: hover, click, drag, keys

  ui.image.addEventListener("pointerdown", (event) => {
    if (!state.cube || event.button !== 0) return;
    const [x, y] = spaxelAt(event);
    if (!inside(state.cube, x, y)) return;
    ui.image.setPointerCapture(event.pointerId);
    ui.image.focus();
    state.drag = [x, y];
    choose(x, y, x, y);
  });
  ui.image.addEventListener("pointermove", (event) => {
    if (!state.cube) return;
    const [x, y] = spaxelAt(event);
    state.hover = inside(state.cube, x, y) ? [x, y] : null;
    if (state.drag) choose(...state.drag, x, y);
    else read();
  });
  const release = () => {
    state.drag = null;
  };
  ui.image.addEventListener("pointerup", release);
  ui.image.addEventListener("pointercancel", release);
  ui.image.addEventListener("pointerleave", () => {
    state.hover = null;
    if (state.cube) read();
  });
  function wavelengthKey(event) {
    const z = state.z;
    const to = { "[": z - 1, "]": z + 1, PageUp: z + 1, PageDown: z - 1, Home: 0, End: state.cube.nz - 1 }[event.key];
    if (to === undefined) return false;
    moveTo(to);
    return true;
  }
  const modified = (event) => event.ctrlKey || event.metaKey || event.altKey;
  ui.image.addEventListener("keydown", (event) => {
    if (!state.cube || (modified(event) && event.key !== "[" && event.key !== "]")) return;
    const by = event.shiftKey ? 10 : 1;
    const move = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, by], ArrowDown: [0, -by] }[event.key];
    if (move) {
      const [x, y] = [state.region.x0 + move[0], state.region.y0 + move[1]];
      choose(x, y, x, y);
    } else if (!wavelengthKey(event)) return;
    event.preventDefault();
  });

  // ---- the spectrum: drag and keys

  let sliding = false;
  const slide = (event) => {
    const p = spectrumPlace();
    const wave = state.cube.wavelength;
    const w = wave[0] + ((event.offsetX - p.left) / (p.right - p.left)) * (wave[wave.length - 1] - wave[0]);
    moveTo(wave.reduce((best, v, k) => (Math.abs(v - w) < Math.abs(wave[best] - w) ? k : best), 0));
  };
  ui.spectrum.addEventListener("pointerdown", (event) => {
    if (!state.cube || event.button !== 0) return;
    ui.spectrum.setPointerCapture(event.pointerId);
    ui.spectrum.focus();
    sliding = true;
    slide(event);
  });
  ui.spectrum.addEventListener("pointermove", (event) => sliding && slide(event));
  for (const name of ["pointerup", "pointercancel"]) ui.spectrum.addEventListener(name, () => (sliding = false));
  ui.spectrum.addEventListener("keydown", (event) => {
    if (!state.cube || (modified(event) && event.key !== "[" && event.key !== "]")) return;
    const by = event.shiftKey ? 10 : 1;
    const move = { ArrowLeft: -by, ArrowRight: by }[event.key];
    if (move) moveTo(state.z + move);
    else if (!wavelengthKey(event)) return;
    event.preventDefault();
  });

  window.addEventListener("resize", draw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  show(0);
})();
