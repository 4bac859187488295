// The page: takes pictures, gives each to the model, says what the answer is.
"use strict";

const $ = id => document.getElementById(id);
const facts = JSON.parse($("facts").textContent), texts = JSON.parse($("texts").textContent);
const MOST_SHOWN = 800, THUMBNAIL = 96, MAP_OPACITY = 0.65;
const results = []; // of all pictures: {name, file, thumbnail, answers or error}
let session = null, Tensor = null, shown = null, language = "en";
let queue = Promise.resolve(), lastBatch = 0, lastStopped = 0; // numbers of batches of pictures

// -- texts ---------------------------------------------------------------------------------------

function say(key, values = {}) {
  const text = texts[language][key] || texts.en[key];
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

function chooseLanguage(name) {
  language = name;
  document.documentElement.lang = name;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = say(element.dataset.text);
  }
  $("all").hidden = results.length < 2;
  $("table").tBodies[0].replaceChildren(...results.map(tableRow));
  if (shown) showAnswer(shown);
}

/** Writes a share; one below 1 is never shown as 100 %. */
function percent(share, least = 1, most = least) {
  const cut = share < 1 ? Math.min(share, 1 - 10 ** (-2 - most)) : share;
  return (cut * 100).toLocaleString(language, {
    minimumFractionDigits: least, maximumFractionDigits: most}) + " %";
}

/** Says what the answers mean, as `statement` of gellib.training_run.prediction does. */
function verdict({error, label, labels, members, unlike, best}) {
  if (error) return say("error", {reason: say(error)});
  if (!facts.exclusive) {
    const given = labels.length ? say("several", {label: labels.join(say("and"))}) : say("nothing");
    if (!members) return given;
    if (unlike && unlike[0] > 1) return say("none");
    return members.length ? `${given} ${say("possible", {label: members.join(say("and"))})}`
      : say("nothing");
  }
  if (!members) return say("sure", {label});
  if (unlike && unlike.every(score => score > 1)) return say("none");
  if (unlike && unlike[best] > 1) return say("odd", {label});
  if (members.length === 1 && members[0] === label) return say("sure", {label});
  const others = members.length ? members.filter(name => name !== label) : [say("none_label")];
  return say("unclear", {label: [label, ...others].join(say("or"))});
}

/** Whether a picture is unlike, and the verdict, without prediction sets, does not say so. */
function unlikeOnly({members, unlike, best}) {
  return Boolean(!members && unlike && unlike[facts.exclusive ? best : 0] > 1);
}

// -- the model -----------------------------------------------------------------------------------

function bytesOf(id) {
  const element = $(id), text = element.textContent.trim();
  element.remove(); // the text is as large as the model
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

async function unzipped(id) {
  const stream = new Blob([bytesOf(id)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

async function loadModel() {
  const code = new Blob([bytesOf("runtime")], {type: "text/javascript"});
  const url = URL.createObjectURL(code);
  const ort = await import(url);
  URL.revokeObjectURL(url);
  ort.env.wasm.numThreads = 1; // a page from a file may share no memory between threads
  ort.env.wasm.wasmBinary = await unzipped("wasm");
  ort.env.logLevel = "error";
  const model = new Uint8Array(await unzipped("model"));
  session = await ort.InferenceSession.create(model, {executionProviders: ["wasm"]});
  Tensor = ort.Tensor;
}

async function ask(picture) {
  const size = facts.preprocessing.image_size;
  const view = new Tensor("uint8", viewOf(picture, facts), [1, picture.channels, size, size]);
  const found = await session.run({[facts.input]: view});
  const p = [...found.probabilities.data], named = name => found[name]
    && facts.classes.filter((_, place) => found[name].data[place]);
  const usual = p.every(share => share >= 0 && share <= 1.01);
  if (!usual) throw new Unreadable("no_answer");
  const best = p.indexOf(Math.max(...p));
  const map = found.map && {data: [...found.map.data], height: found.map.dims[0],
    width: found.map.dims[1]};
  return {probabilities: p, best, label: facts.classes[best], labels: named("labels"),
    members: named("set"), unlike: found.unlike && [...found.unlike.data], map};
}

// -- pictures ------------------------------------------------------------------------------------

function addFiles(files) {
  const all = [...files];
  if (!all.length || !session) return;
  const batch = ++lastBatch;
  queue = queue.then(() => answerAll(all, batch)).catch(error => {
    $("status").textContent = say("failed", {reason: error.message || String(error)});
  });
}

/** Stops the batches of pictures that are begun or wait. */
function stopBatches() {
  lastStopped = lastBatch;
}

async function answerAll(files, batch) {
  try {
    for (let i = 0; i < files.length && batch > lastStopped; i++) {
      $("progress").max = files.length;
      $("progress").value = i;
      for (const name of ["progress", "stop"]) $(name).hidden = files.length < 2;
      if (files.length > 1) $("status").textContent = say("progress", {done: i, total: files.length});
      const {result, picture} = await answerOne(files[i]);
      if (batch > lastStopped) add(result, picture);
      else URL.revokeObjectURL(result.thumbnail);
      await new Promise(resolve => setTimeout(resolve)); // lets the page be drawn
    }
  } finally {
    for (const name of ["progress", "stop"]) $(name).hidden = true;
    $("status").textContent = say("ready");
  }
}

async function answerOne(file) {
  const result = {name: file.name || say("picture"), file, thumbnail: ""};
  let picture = null;
  try {
    picture = await readPicture(file, facts);
    Object.assign(result, await ask(picture));
  } catch (error) {
    result.error = error instanceof Unreadable ? error.message : picture ? "no_answer" : "damaged";
    return {result, picture};
  }
  try {
    result.thumbnail = await thumbnailOf(picture);
  } catch { /* the answer stands without it */ }
  return {result, picture};
}

function add(result, picture) {
  results.push(result);
  $("all").hidden = results.length < 2;
  $("table").tBodies[0].append(tableRow(result));
  shown = result;
  showAnswer(result);
  blank();
  try {
    if (!result.error) draw(picture, result);
  } catch { /* the answer stands without the picture */ }
}

/** Takes a picture off that is not that of the answer. */
function blank() {
  $("canvas").getContext("2d").clearRect(0, 0, $("canvas").width, $("canvas").height);
}

/** Draws the picture, small, the frame that the model sees, and its heat map. */
function draw({width, height, channels, data}, {map}) {
  const canvas = $("canvas"), scale = Math.min(1, MOST_SHOWN / Math.max(width, height));
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.putImageData(smaller({width, height, channels, data}, canvas.width, canvas.height), 0, 0);
  if (!$("map").checked || !map) return;
  const {image_size: size, resize_size: resized} = facts.preprocessing;
  const side = Math.min(canvas.width, canvas.height) * size / resized;
  const left = (canvas.width - side) / 2, top = (canvas.height - side) / 2;
  const heat = new OffscreenCanvas(map.width, map.height), pixels = new ImageData(map.width, map.height);
  map.data.forEach((value, place) => {
    pixels.data.set([255, 255 * value, 0, 255 * MAP_OPACITY * value], 4 * place);
  });
  heat.getContext("2d").putImageData(pixels, 0, 0);
  context.imageSmoothingQuality = "high";
  context.drawImage(heat, left, top, side, side);
  context.lineWidth = 2;
  context.strokeStyle = "#ffb000";
  context.strokeRect(left, top, side, side);
}

function smaller({width, height, channels, data}, w, h) {
  const out = new ImageData(w, h);
  for (let y = 0; y < h; y++) {
    const row = Math.floor((y + 0.5) * height / h) * width;
    for (let x = 0; x < w; x++) {
      const from = (row + Math.floor((x + 0.5) * width / w)) * channels, to = 4 * (y * w + x);
      for (let c = 0; c < 3; c++) out.data[to + c] = data[from + (channels === 3 ? c : 0)];
      out.data[to + 3] = 255;
    }
  }
  return out;
}

async function thumbnailOf(picture) {
  const scale = Math.min(1, THUMBNAIL / Math.max(picture.width, picture.height));
  const w = Math.max(1, Math.round(picture.width * scale));
  const h = Math.max(1, Math.round(picture.height * scale));
  const canvas = new OffscreenCanvas(w, h);
  canvas.getContext("2d").putImageData(smaller(picture, w, h), 0, 0);
  return URL.createObjectURL(await canvas.convertToBlob({type: "image/jpeg", quality: 0.8}));
}

// -- what is shown -------------------------------------------------------------------------------

function element(kind, text = "", className = "") {
  const made = document.createElement(kind);
  made.textContent = text;
  made.className = className;
  return made;
}

function showAnswer(result) {
  $("result").hidden = false;
  $("name").textContent = result.name;
  $("verdict").textContent = verdict(result);
  const doubtful = result.error || unlikeOnly(result)
    || verdict(result) !== say("sure", {label: result.label});
  $("verdict").className = doubtful && facts.exclusive ? "warn" : "";
  for (const id of ["bars", "set"]) $(id).hidden = Boolean(result.error);
  document.querySelector(".picture").hidden = Boolean(result.error);
  if (result.error) return;
  const order = facts.classes.map((_, place) => place);
  order.sort((a, b) => result.probabilities[b] - result.probabilities[a]);
  $("bars").tBodies[0].replaceChildren(...order.map(place => {
    const row = element("tr"), share = result.probabilities[place], bar = element("div", "", "bar");
    bar.append(element("div"));
    bar.firstChild.style.width = `${100 * share}%`;
    const given = result.labels.includes(facts.classes[place]) ? "given" : "";
    row.append(element("td", facts.classes[place], given));
    row.append(element("td", percent(share), "number"), element("td"));
    row.lastChild.append(bar);
    return row;
  }));
  $("set").textContent = setText(result);
  $("set").hidden = !$("set").textContent;
  $("map-label").hidden = !result.map;
  const help = say("map_help", {label: result.label});
  $("map-help").textContent = !result.map ? say("no_map") : $("map").checked ? help : "";
}

function setText(result) {
  if (!result.members) return unlikeOnly(result) ? say("unlike") : "";
  const names = result.members.join(say("and")) || say("none_label");
  const said = say("set", {level: percent(facts.level, 0, 2), label: names});
  const few = facts.unsupported.join(say("and"));
  return few ? `${said} ${say("unsupported", {label: few})}` : said;
}

function tableRow(result) {
  const row = element("tr"), open = element("button", result.name), image = element("td");
  open.type = "button";
  open.addEventListener("click", () => show(result));
  if (result.thumbnail) {
    const small = element("img");
    small.src = result.thumbnail;
    small.alt = "";
    image.append(small);
  }
  const share = result.error ? "" : percent(result.probabilities[result.best]);
  row.append(image, element("td"), element("td", verdict(result)), element("td", share, "number"));
  row.children[1].append(open);
  return row;
}

async function show(result) {
  if (shown !== result) blank();
  shown = result;
  showAnswer(result);
  $("result").scrollIntoView({behavior: "smooth", block: "nearest"});
  try {
    const picture = result.error ? null : await readPicture(result.file, facts);
    // Another may have been chosen, or all cleared, while this one was read.
    if (picture && shown === result) draw(picture, result);
  } catch { /* the file has been changed or deleted since: its answer is still shown */ }
}

// -- the table as a file -------------------------------------------------------------------------

/** Writes a cell so that no spreadsheet runs it, as gellib.base.spreadsheet does. */
function cell(value) {
  const text = String(value);
  const runs = typeof value === "string" && /^'*[=+\-@\t\r＝＋－＠]/.test(text)
    && !/^'*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?%?$/i.test(text);
  return `"${(runs ? `'${text}` : text).replaceAll('"', '""')}"`;
}

function tableText() {
  const names = facts.classes.map(name => `p_${name}`);
  const lines = [["file", "label", ...names, "set", "unlike", "statement"]];
  for (const result of results) {
    const {name, error, labels, probabilities, members, unlike, best} = result;
    if (error) lines.push([name, "", ...names.map(() => ""), "", "", verdict(result)]);
    else {
      const score = unlike ? unlike[facts.exclusive ? best : 0] : "";
      lines.push([name, labels.join("|"), ...probabilities, (members || []).join("|"), score,
        verdict(result)]);
    }
  }
  return "\ufeff" + lines.map(line => line.map(cell).join(",")).join("\r\n") + "\r\n";
}

function saveTable() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([tableText()], {type: "text/csv"}));
  link.download = "predictions.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function clearAll() {
  for (const {thumbnail} of results) if (thumbnail) URL.revokeObjectURL(thumbnail);
  results.length = 0;
  shown = null;
  stopBatches();
  $("result").hidden = true;
  chooseLanguage(language);
  $("status").textContent = say("ready");
}

// -- the camera ----------------------------------------------------------------------------------

async function openCamera() {
  const video = document.querySelector("video");
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({video: {facingMode: "environment"}});
    $("viewfinder").showModal();
  } catch { // no camera that a page may use: a phone offers its own
    $("shot").click();
  }
}

function closeCamera() {
  const video = document.querySelector("video");
  if (video.srcObject) for (const track of video.srcObject.getTracks()) track.stop();
  video.srcObject = null;
  $("viewfinder").close();
}

async function takePhotograph() {
  const video = document.querySelector("video");
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await canvas.convertToBlob({type: "image/png"});
  closeCamera();
  const time = new Date().toLocaleTimeString("sv").replaceAll(":", "-");
  addFiles([new File([blob], `photograph ${time}.png`)]);
}

// -- the start -----------------------------------------------------------------------------------

function listen() {
  $("language").addEventListener("change", event => {
    chooseLanguage(event.target.value);
    $("status").textContent = say(session ? "ready" : "loading");
  });
  $("choose").addEventListener("click", () => $("files").click());
  $("camera").addEventListener("click", openCamera);
  $("take").addEventListener("click", takePhotograph);
  $("close").addEventListener("click", closeCamera);
  $("viewfinder").addEventListener("cancel", closeCamera);
  $("stop").addEventListener("click", stopBatches);
  $("save").addEventListener("click", saveTable);
  $("clear").addEventListener("click", clearAll);
  $("map").addEventListener("change", () => { if (shown) show(shown); });
  for (const id of ["files", "shot"]) {
    $(id).addEventListener("change", event => {
      addFiles(event.target.files);
      event.target.value = ""; // the same file again is a change, too
    });
  }
  document.addEventListener("paste", event => addFiles(event.clipboardData.files));
  document.addEventListener("dragover", event => {
    event.preventDefault();
    $("drop").classList.add("over");
  });
  for (const kind of ["dragleave", "drop"]) {
    document.addEventListener(kind, () => $("drop").classList.remove("over"));
  }
  document.addEventListener("drop", event => {
    event.preventDefault();
    addFiles(event.dataTransfer.files);
  });
}

async function start() {
  for (const [name, own] of Object.entries(texts)) {
    const option = element("option", own.language);
    option.value = name;
    $("language").append(option);
  }
  const wanted = (navigator.languages || []).map(name => name.slice(0, 2));
  chooseLanguage(wanted.find(name => name in texts) || "en");
  $("language").value = language;
  listen();
  await new Promise(resolve => setTimeout(resolve)); // the page is drawn before the model loads
  try {
    await loadModel();
    for (const id of ["choose", "camera"]) $(id).disabled = false;
    $("status").textContent = say("ready");
  } catch (error) {
    $("status").textContent = say("failed", {reason: error.message || String(error)});
  }
}

start();
