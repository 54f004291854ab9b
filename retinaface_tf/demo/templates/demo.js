"use strict";
const SVG = "http://www.w3.org/2000/svg";
const LANDMARKS = [{% for name, _, _ in landmarks %}"{{ name }}"{% if not loop.last %}, {% endif %}{% endfor %}];
const MARGIN = 0.2; // on each side of a crop, in box sizes, as in `retinaface detect --crop`
const LIVE_SIDE = 1280; // of a camera's frame at most
const byId = (id) => document.getElementById(id);
const settings = document.body.dataset;

// What is shown: the photo, its name, and the server's answer.
let photo = null;
let shown = { name: "", line: null, milliseconds: 0 };
let asked = 0; // the newest request; answers to others are dropped

const say = (text, isBad = false) => {
  byId("status").textContent = text;
  byId("status").classList.toggle("bad", isBad);
};

let stream = null; // of the camera, while it is in use

// Asking the server.
const ask = async (blob, name) => {
  const query = new URLSearchParams({ name });
  const nms = byId("nms");
  if (nms && nms.value !== nms.defaultValue) query.set("nms_iou", nms.value);
  let response;
  try {
    response = await fetch(`/detect?${query}`, { method: "POST", body: blob });
  } catch {
    throw new Error("The server does not answer: is `retinaface demo` still running?");
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
};

const decode = async (blob, name) => {
  // The server applies EXIF orientation to JPEG only.
  const imageOrientation = blob.type === "image/jpeg" ? "from-image" : "none";
  try {
    return await createImageBitmap(blob, { imageOrientation });
  } catch {
    throw new Error(`${name}: this browser cannot show it as an image`);
  }
};

const look = async (blob, name) => {
  const number = ++asked;
  if (blob.size > Number(settings.maxBytes)) {
    say(`${name}: expected at most ${Number(settings.maxBytes) >> 20} MiB`, true);
    return;
  }
  if (!stream) { // frames of a camera come too fast for a message
    say("Detecting\u2026");
    byId("stage").classList.add("busy");
  }
  try {
    // The server first, as it has the best message if something is wrong with a file.
    const answer = await ask(blob, name);
    const bitmap = await decode(blob, name);
    if (number !== asked) return bitmap.close();
    photo?.bitmap.close();
    photo = { bitmap, blob };
    shown = { name, ...answer };
    say("");
    draw();
  } catch (error) {
    if (number === asked) say(error.message, true);
  } finally {
    if (number === asked) byId("stage").classList.remove("busy");
  }
};

// Drawing.
const faces = () => shown.line.faces.filter((face) => face.score >= Number(byId("score").value));

const element = (name, attributes, text) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
};

const drawFace = (face, width) => {
  const [x1, y1, x2, y2] = face.box;
  const size = Math.max(width / 100, Math.min((y2 - y1) / 5, width / 35)); // of the text
  const radius = Math.max(width / 800, (y2 - y1) / 36);
  const group = element("g", {});
  group.append(element("rect", { class: "mark detected", x: x1, y: y1, width: Math.max(0, x2 - x1), height: Math.max(0, y2 - y1) }));
  face.landmarks.forEach(([x, y], i) => {
    group.append(element("circle", { class: `landmark ${LANDMARKS[i]}`, cx: x, cy: y, r: radius, "stroke-width": radius / 1.5 }));
  });
  group.append(element("text", { class: "score detected", x: Math.max(0, x1), y: y1 > size ? y1 - size / 4 : y1 + size, "font-size": size }, face.score.toFixed(2)));
  return group;
};

const windowOf = ([x1, y1, x2, y2], { width, height }) => {
  const [dx, dy] = [MARGIN * (x2 - x1), MARGIN * (y2 - y1)];
  const [left, top] = [Math.max(0, Math.floor(x1 - dx)), Math.max(0, Math.floor(y1 - dy))];
  return [left, top, Math.min(width, Math.ceil(x2 + dx)) - left, Math.min(height, Math.ceil(y2 + dy)) - top];
};

const cropOf = (face, longSide = Infinity) => {
  const [x, y, w, h] = windowOf(face.box, photo.bitmap);
  if (w < 1 || h < 1) return null;
  const canvas = document.createElement("canvas");
  const factor = Math.min(1, longSide / Math.max(w, h));
  [canvas.width, canvas.height] = [Math.max(1, Math.round(w * factor)), Math.max(1, Math.round(h * factor))];
  canvas.getContext("2d").drawImage(photo.bitmap, x, y, w, h, 0, 0, canvas.width, canvas.height);
  return canvas;
};

const save = (blob, name) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
};

const drawCrops = (found) => {
  const crops = found.slice(0, 100).map((face, i) => {
    const canvas = cropOf(face, 192);
    if (!canvas) return null;
    const button = document.createElement("button");
    button.type = "button";
    button.append(canvas, face.score.toFixed(3));
    button.setAttribute("aria-label", `Save face ${i + 1}, score ${face.score.toFixed(3)}`);
    button.addEventListener("click", () => {
      cropOf(face).toBlob((blob) => save(blob, `${shown.name.replace(/\.[^.]*$/, "")}_${i}.png`));
    });
    return button;
  });
  byId("crops").replaceChildren(...crops.filter(Boolean));
};

const draw = () => {
  const { bitmap } = photo;
  const canvas = byId("photo");
  const factor = Math.min(1, 2560 / Math.max(bitmap.width, bitmap.height));
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * factor)));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  byId("overlay").setAttribute("viewBox", `0 0 ${shown.line.width} ${shown.line.height}`);
  document.querySelector(".picture").hidden = false;
  document.querySelector(".invitation").hidden = true;
  byId("stage").classList.remove("empty");
  drawFaces();
};

// What depends on a threshold.
const drawFaces = () => {
  if (!shown.line) return;
  const found = faces();
  byId("overlay").replaceChildren(...found.map((face) => drawFace(face, shown.line.width)));
  const seconds = (shown.milliseconds / 1000).toFixed(2);
  byId("count").textContent = `${found.length} ${found.length === 1 ? "face" : "faces"}`;
  say(`${shown.name}: ${shown.line.width} x ${shown.line.height} pixels, ${seconds} s`);
  byId("save-hint").hidden = found.length === 0;
  drawCrops(found);
  byId("json").textContent = jsonOf(found);
  byId("command").replaceChildren(...commandOf().flatMap(word));
  byId("output").hidden = false;
};

// The command and the JSON.
const quote = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`);

// A line of the command breaks between words, not within one.
const word = (text, place) => {
  const made = document.createElement("span");
  made.textContent = text;
  return place ? [" ", made] : [made];
};

const commandOf = () => {
  const name = shown.name.startsWith("-") ? `./${shown.name}` : shown.name;
  const words = ["retinaface", "detect", quote(name), "--weights", settings.quotedWeights];
  words.push("--score", Number(byId("score").value).toFixed(2));
  const nms = byId("nms");
  if (nms && nms.value !== nms.defaultValue) words.push("--set", `detector.nms_iou=${nms.value}`);
  return words;
};

const jsonOf = (found) => {
  const { faces: _, ...about } = shown.line;
  const rows = found.map((face) => `\n  ${JSON.stringify(face)}`);
  return `${JSON.stringify(about).slice(0, -1)},"faces":[${rows.join(",")}]}`;
};

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const source = byId(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source); // no clipboard without HTTPS: select the text instead
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

// Where photos come from.
const take = (file, name) => {
  stopCamera();
  if (!file) say("Expected an image file", true);
  else look(file, name ?? file.name);
};

byId("file").addEventListener("change", (event) => {
  if (event.target.files.length) take(event.target.files[0]);
  event.target.value = ""; // the same file may be chosen again
});
byId("choose").addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === " ") byId("file").click();
});
for (const button of document.querySelectorAll(".sample")) {
  button.addEventListener("click", async () => {
    const response = await fetch(`/${button.dataset.sample}`);
    take(await response.blob(), button.dataset.sample);
  });
}
addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files][0];
  take(file, file && (file.name || "pasted.png"));
});
let depth = 0; // of nested elements under the dragged file
addEventListener("dragenter", () => { byId("drop-here").hidden = ++depth === 0; });
addEventListener("dragleave", () => { byId("drop-here").hidden = --depth <= 0; });
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  byId("drop-here").hidden = true;
  take([...event.dataTransfer.files][0]);
});

// The camera: one frame after the other, as fast as the server answers.
const stopCamera = () => {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  byId("camera").textContent = "Use the camera";
};
const startCamera = async () => {
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
  } catch (error) {
    say(`The camera cannot be used: ${error.message}`, true);
    return;
  }
  byId("camera").textContent = "Keep this picture";
  const video = document.createElement("video");
  [video.muted, video.playsInline, video.srcObject] = [true, true, stream];
  await video.play();
  const canvas = document.createElement("canvas");
  const own = stream;
  while (stream === own) {
    const factor = Math.min(1, LIVE_SIDE / Math.max(video.videoWidth, video.videoHeight));
    [canvas.width, canvas.height] = [video.videoWidth * factor, video.videoHeight * factor];
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
    if (stream === own) await look(blob, "camera.jpg");
    if (byId("status").classList.contains("bad")) stopCamera();
  }
};
if (navigator.mediaDevices?.getUserMedia) byId("camera").hidden = false;
byId("camera").addEventListener("click", () => (stream ? stopCamera() : startCamera()));

// Thresholds and layers.
const score = byId("score");
score.addEventListener("input", () => {
  byId("score-shown").value = Number(score.value).toFixed(2);
  drawFaces();
});
byId("nms")?.addEventListener("input", () => { byId("nms-shown").value = Number(byId("nms").value).toFixed(2); });
byId("nms")?.addEventListener("change", () => { if (photo) look(photo.blob, shown.name); });
for (const layer of ["boxes", "landmarks", "scores"]) {
  byId(`show-${layer}`).addEventListener("change", (event) => {
    byId("overlay").classList.toggle(`hide-${layer}`, !event.target.checked);
  });
}
byId("controls").addEventListener("submit", (event) => event.preventDefault());
