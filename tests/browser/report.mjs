// Looks at a report in a headless Chromium, as a user does: click, drag, keys, read-outs; and that nothing is loaded.
//
//   node tests/browser/report.mjs PAGE.html EXPECTED.json [--pictures DIR]
//
// EXPECTED.json says what the first cube holds: {"nx", "ny", "nz", "unit", "wavelength": [...], "sci": [...], "planes": {"LAT": [...]}},
// values in the order of FITS, null for NaN. Prints that it skips where there is no Chromium ($CHROMIUM, or one of the usual names).
// Talks to the browser through a pipe, so that neither a package nor a port is needed.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const names = [process.env.CHROMIUM, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"].filter(Boolean);
const browser = names.find((name) => spawnSync(name, ["--version"]).status === 0);
if (!browser) {
  console.log("skipped: no Chromium was found (set CHROMIUM to its path)");
  process.exit(0);
}
const [page, expectedPath, option, folder] = process.argv.slice(2);
const expected = JSON.parse(readFileSync(expectedPath, "utf8"));
const pictures = option === "--pictures" ? folder : null;

const profile = mkdtempSync(join(tmpdir(), "report-"));
const child = spawn(
  browser,
  ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--force-color-profile=srgb", "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank"],
  { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
);

let next = 1;
const waiting = new Map();
const events = [];
let held = "";
child.stdio[4].setEncoding("utf8");
child.stdio[4].on("data", (text) => {
  held += text;
  for (let end = held.indexOf("\0"); end >= 0; end = held.indexOf("\0")) {
    const message = JSON.parse(held.slice(0, end));
    held = held.slice(end + 1);
    if (message.id === undefined) {
      events.push(message);
      continue;
    }
    const [yes, no] = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error) no(new Error(message.error.message));
    else yes(message.result);
  }
});

let session;
function send(method, params = {}) {
  const id = next++;
  child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId: session })}\0`);
  return new Promise((yes, no) => waiting.set(id, [yes, no]));
}

async function value(expression) {
  const { result, exceptionDetails } = await send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
  if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description}`);
  return result.value;
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(expression, what) {
  for (let i = 0; i < 600; i++) {
    if (await value(expression)) return;
    await pause(100);
  }
  throw new Error(`${what} did not come`);
}

const textOf = (id) => value(`document.getElementById(${JSON.stringify(id)}).textContent`);

async function picture(name) {
  if (!pictures) return;
  const { data } = await send("Page.captureScreenshot", { format: "png" });
  writeFileSync(join(pictures, `${name}.png`), Buffer.from(data, "base64"));
}

const mouse = (type, x, y, buttons) =>
  send("Input.dispatchMouseEvent", { type, x, y, button: type === "mouseMoved" && !buttons ? "none" : "left", buttons, clickCount: 1 });

async function key(name, code, text, modifiers = 0) {
  const windowsVirtualKeyCode = { ArrowLeft: 37, ArrowUp: 38, ArrowRight: 39, ArrowDown: 40, PageUp: 33, PageDown: 34, End: 35, Home: 36 }[name];
  await send("Input.dispatchKeyEvent", { type: text ? "keyDown" : "rawKeyDown", key: name, code, text, windowsVirtualKeyCode, modifiers });
  await send("Input.dispatchKeyEvent", { type: "keyUp", key: name, code, windowsVirtualKeyCode, modifiers });
}

// numbers in a read-out, minus signs as they are printed
const numbers = (text) => [...text.replaceAll("−", "-").matchAll(/-?\d+(\.\d+)?(e[+-]?\d+)?/gi)].map((m) => Number(m[0]));

function close(got, want, what, relative = 2.5e-5) {
  if (want === null) return assert.ok(Number.isNaN(got), `${what}: ${got} is not NaN`);
  assert.ok(Math.abs(got - want) <= relative * Math.abs(want) + 1e-30, `${what}: ${got} is not ${want}`);
}

const { nx, ny, nz } = expected;
const sci = (z, y, x) => expected.sci[(z * ny + y) * nx + x];
// `x 3, y 4 at 5.1 µm: 12.3 MJy/sr`
const where = (text) => {
  const m = text.replaceAll("−", "-").match(/x (\d+)(?: to (\d+))?, y (\d+)(?: to (\d+))? at ([-\d.e+]+) µm: (mean )?(\S+)/);
  assert.ok(m, text);
  return { x0: +m[1], x1: +(m[2] ?? m[1]), y0: +m[3], y1: +(m[4] ?? m[3]), wave: +m[5], value: Number(m[7]) };
};
const waveIndex = (wave) => expected.wavelength.reduce((b, w, k) => (Math.abs(w - wave) < Math.abs(expected.wavelength[b] - wave) ? k : b), 0);

async function main() {
  const { targetInfos } = await send("Target.getTargets");
  const target = targetInfos.find((t) => t.type === "page");
  ({ sessionId: session } = await send("Target.attachToTarget", { targetId: target.targetId, flatten: true }));
  for (const domain of ["Page", "Runtime", "Network", "Log"]) await send(`${domain}.enable`);
  await send("Emulation.setDeviceMetricsOverride", { width: 1280, height: 900, deviceScaleFactor: 1, mobile: false });
  const start = Date.now();
  await send("Page.navigate", { url: pathToFileURL(resolve(page)).href });
  await until("document.readyState === 'complete' && /^Chosen/.test(document.getElementById('v-chosen')?.textContent ?? '')", "the viewer");
  console.log(`shown after ${Date.now() - start} ms`);
  await picture("top");
  await value("document.getElementById('viewer').scrollIntoView()");
  await picture("viewer");

  // where the image is: it fills its canvas but for margins that the viewer chooses; find them from read-outs
  const box = async (id) => value(`(() => { const r = document.getElementById(${JSON.stringify(id)}).getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; })()`);
  const image = await box("v-image");
  const inner = image[2] - 2;
  const scale = Math.min((inner - 16) / nx, 560 / ny);
  const left = image[0] + 1 + (inner - scale * nx) / 2;
  const top = image[1] + 1 + 8;
  const at = (x, y) => [left + (x + 0.5) * scale, top + (ny - 1 - y + 0.5) * scale];

  // hover: every corner and the middle
  for (const [x, y] of [[0, 0], [nx - 1, 0], [0, ny - 1], [nx - 1, ny - 1], [nx >> 1, ny >> 1]]) {
    await mouse("mouseMoved", ...at(x, y), 0);
    const got = where(await textOf("v-cursor"));
    assert.deepEqual([got.x0, got.y0], [x, y]);
    close(got.value, sci(waveIndex(got.wave), y, x), `value at ${x}, ${y}`);
    for (const [name, values] of Object.entries(expected.planes)) {
      const cell = await value(`[...document.getElementById("v-values").rows].find((r) => r.cells[0].textContent === ${JSON.stringify(name)}).cells[2].textContent`);
      close(cell === "NaN" ? NaN : numbers(cell)[0], values[y * nx + x], `${name} at ${x}, ${y}`, name === "RA" || name === "DEC" ? 1e-8 : 1e-5);
    }
  }

  // click
  const click = [Math.floor(nx / 3), Math.floor(ny / 4)];
  await mouse("mousePressed", ...at(...click), 1);
  await mouse("mouseReleased", ...at(...click), 0);
  let chosen = where(await textOf("v-chosen"));
  assert.deepEqual([chosen.x0, chosen.x1, chosen.y0, chosen.y1], [click[0], click[0], click[1], click[1]]);
  close(chosen.value, sci(waveIndex(chosen.wave), click[1], click[0]), "the clicked value");

  // drag over a region, from the upper left to the lower right
  const [a, b] = [[1, ny - 2], [Math.min(nx - 1, 5), Math.max(0, ny - 6)]];
  await mouse("mousePressed", ...at(...a), 1);
  await mouse("mouseMoved", ...at((a[0] + b[0]) >> 1, a[1]), 1);
  await mouse("mouseMoved", ...at(...b), 1);
  await mouse("mouseReleased", ...at(...b), 0);
  chosen = where(await textOf("v-chosen"));
  assert.deepEqual([chosen.x0, chosen.x1, chosen.y0, chosen.y1], [a[0], b[0], b[1], a[1]]);
  const z = waveIndex(chosen.wave);
  const inRegion = [];
  for (let y = b[1]; y <= a[1]; y++) for (let x = a[0]; x <= b[0]; x++) if (sci(z, y, x) !== null) inRegion.push(sci(z, y, x));
  close(chosen.value, inRegion.length ? inRegion.reduce((s, v) => s + v, 0) / inRegion.length : null, "the mean of the region");
  await picture("region");
  // no button: the region stays
  await mouse("mouseMoved", ...at(nx - 1, 0), 0);
  assert.equal(where(await textOf("v-chosen")).x1, b[0]);

  // keys on the image
  await mouse("mousePressed", ...at(...click), 1);
  await mouse("mouseReleased", ...at(...click), 0);
  const place = async () => {
    const c = where(await textOf("v-chosen"));
    close(c.value, sci(waveIndex(c.wave), c.y0, c.x0), "the value after a key");
    return [c.x0, c.y0, waveIndex(c.wave)];
  };
  const [x, y, k] = await place();
  await key("ArrowRight", "ArrowRight");
  assert.deepEqual(await place(), [x + 1, y, k]);
  await key("ArrowUp", "ArrowUp");
  assert.deepEqual(await place(), [x + 1, y + 1, k]);
  await key("ArrowLeft", "ArrowLeft");
  await key("ArrowDown", "ArrowDown");
  assert.deepEqual(await place(), [x, y, k]);
  await key("]", "BracketRight", "]");
  assert.deepEqual(await place(), [x, y, k + 1]);
  await key("[", "BracketLeft", "[");
  await key("PageDown", "PageDown");
  assert.deepEqual(await place(), [x, y, k - 1]);
  await key("PageUp", "PageUp");
  await key("Home", "Home");
  assert.deepEqual(await place(), [x, y, 0]);
  await key("PageDown", "PageDown");
  assert.deepEqual(await place(), [x, y, 0]);
  await key("End", "End");
  assert.deepEqual(await place(), [x, y, nz - 1]);
  await key("ArrowLeft", "ArrowLeft", undefined, 8);
  assert.deepEqual(await place(), [Math.max(x - 10, 0), y, nz - 1]);

  // drag on the spectrum
  const spectrum = await box("v-spectrum");
  // a little beyond either end, which is as far as it goes
  const ends = [spectrum[0] + 1 + 70 - 4, spectrum[0] + 1 + spectrum[2] - 2 - 14 + 4];
  const middle = spectrum[1] + 150;
  await mouse("mousePressed", ends[0], middle, 1);
  assert.equal((await place())[2], 0);
  await mouse("mouseMoved", 0.5 * (ends[0] + ends[1]), middle, 1);
  const half = (await place())[2];
  assert.ok(Math.abs(half - (nz - 1) / 2) <= 1 + nz / 200, `${half} of ${nz}`);
  await mouse("mouseMoved", ends[1], middle, 1);
  assert.equal((await place())[2], nz - 1);
  await mouse("mouseReleased", ends[1], middle, 0);
  await mouse("mouseMoved", ends[0], middle, 0);
  assert.equal((await place())[2], nz - 1);
  await key("ArrowLeft", "ArrowLeft");
  assert.equal((await place())[2], nz - 2);

  // the slider
  await value(`(() => { const s = document.getElementById("v-wave"); s.value = "1"; s.dispatchEvent(new Event("input")); })()`);
  assert.equal((await place())[2], 1);

  // what is drawn: pixels of the canvas differ with value, and a spaxel without a value is grey
  const pixel = (px, py) => value(`[...document.getElementById("v-image").getContext("2d").getImageData(${px}, ${py}, 1, 1).data].join()`);
  const on = (px, py) => [Math.round(at(px, py)[0] - image[0] - 1), Math.round(at(px, py)[1] - image[1] - 1)];
  const order = [];
  for (let j = 0; j < ny; j++) for (let i = 0; i < nx; i++) if (sci(1, j, i) !== null) order.push([sci(1, j, i), i, j]);
  order.sort((p, q) => p[0] - q[0]);
  if (order.length > 1 && order[0][0] < order.at(-1)[0]) {
    const [low, high] = [order[0], order.at(-1)];
    const shades = {};
    for (const stretch of ["linear", "asinh", "log"]) {
      await value(`(() => { const s = document.getElementById("v-stretch"); s.value = "${stretch}"; s.dispatchEvent(new Event("input")); })()`);
      const mid = order[order.length >> 1];
      shades[stretch] = [await pixel(...on(low[1], low[2])), await pixel(...on(mid[1], mid[2])), await pixel(...on(high[1], high[2]))];
      assert.notEqual(shades[stretch][0], shades[stretch][2]);
    }
    assert.equal(shades.linear[2], shades.log[2]);
  }

  // every plane and every other cube can be shown
  const planes = await value(`document.getElementById("v-plane").options.length`);
  for (let i = 0; i < planes; i++) {
    await value(`(() => { const s = document.getElementById("v-plane"); s.selectedIndex = ${i}; s.dispatchEvent(new Event("input")); })()`);
  }
  await picture("plane");
  await value(`(() => { const s = document.getElementById("v-plane"); s.selectedIndex = 0; s.dispatchEvent(new Event("input")); })()`);
  const cubes = await value(`document.getElementById("v-cube").options.length`);
  for (let i = cubes - 1; i >= 0; i--) {
    await value(`(() => { const s = document.getElementById("v-cube"); s.value = "${i}"; s.dispatchEvent(new Event("change")); })()`);
    await until("/^Chosen/.test(document.getElementById('v-chosen').textContent)", `cube ${i}`);
  }

  // a picture in full size, and back
  if (await value(`document.querySelectorAll("button.zoom").length`)) {
    await value(`document.querySelector("button.zoom").click()`);
    assert.equal(await value(`document.getElementById("large").open && document.querySelector("#large img").complete`), true);
    await until(`document.querySelector("#large img").naturalWidth > 1`, "the picture");
    await value(`document.getElementById("large").close()`);
    assert.equal(await value(`[...document.images].every((i) => i.alt !== "" || i.closest("#large"))`), true);
  }

  // the tab key reaches the canvases, with a visible outline
  await value(`document.getElementById("v-wave").focus()`);
  await key("Tab", "Tab", "\t");
  assert.equal(await value(`document.activeElement.id`), "v-image");
  assert.notEqual(await value(`getComputedStyle(document.activeElement).outlineStyle`), "none");
  await key("Tab", "Tab", "\t");
  assert.equal(await value(`document.activeElement.id`), "v-spectrum");
  assert.equal(await value(`[...document.querySelectorAll("select, input")].every((e) => e.labels.length > 0)`), true);

  // narrow, and dark
  await send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: "dark" }] });
  await value("document.getElementById('viewer').scrollIntoView()");
  await pause(200);
  await picture("dark");
  await send("Emulation.setDeviceMetricsOverride", { width: 400, height: 900, deviceScaleFactor: 2, mobile: false });
  await pause(300);
  const wide = await value(`[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > 401 && !e.closest(".table, .jump, dialog"))
    .map((e) => e.tagName + "#" + e.id).join(" ")`);
  assert.ok(await value(`document.documentElement.scrollWidth <= 401`), `the page is wider than a narrow window: ${wide}`);
  await picture("narrow");

  // nothing but the page and what it holds was asked for, and nothing went wrong
  const asked = events.filter((e) => e.method === "Network.requestWillBeSent").map((e) => e.params.request.url);
  const foreign = asked.filter((url) => !url.startsWith("data:") && !url.startsWith("file:") && url !== "about:blank");
  assert.deepEqual(foreign, []);
  const files = new Set(asked.filter((url) => url.startsWith("file:") && url !== pathToFileURL(resolve(page)).href));
  const linked = await value(`[...document.images].map((i) => i.src).filter((s) => s.startsWith("file:"))`);
  for (const url of files) assert.ok(linked.includes(url), `${url} was asked for`);
  const wrong = events.filter((e) => e.method === "Runtime.exceptionThrown" || (e.method === "Log.entryAdded" && e.params.entry.level === "error"));
  assert.deepEqual(wrong.map((e) => JSON.stringify(e.params)), []);
  console.log(`passed: ${asked.length} requests, all of the page itself`);
}

let code = 0;
const late = setTimeout(() => {
  console.error("the browser did not answer");
  child.kill("SIGKILL");
  process.exit(1);
}, 240_000);
try {
  await main();
} catch (e) {
  console.error(e);
  code = 1;
}
clearTimeout(late);
child.kill("SIGKILL");
await new Promise((done) => child.on("exit", done));
rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
process.exit(code);
