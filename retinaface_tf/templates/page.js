"use strict";
// Wide tables: add a hint to those that scroll.
for (const wide of document.querySelectorAll(".wide")) {
  const hint = document.createElement("p");
  hint.className = "scrolls quiet";
  hint.textContent = "The table scrolls sideways \u2192";
  wide.after(hint);
  const update = () => {
    wide.classList.toggle("overflows", wide.scrollWidth > wide.clientWidth + 1);
  };
  update();
  new ResizeObserver(update).observe(wide);
}
// Tiles: a click enlarges one; arrow keys show the next, Escape or a click outside closes it.
{
  const dialog = document.createElement("dialog");
  dialog.className = "enlarged";
  dialog.innerHTML = `<figure></figure><div class="steps"><button data-step="-1">\u2190 Previous</button>
    <button data-step="1" autofocus>Next \u2192</button><button data-step="0">Close</button></div>`;
  document.body.append(dialog);
  const figure = dialog.querySelector("figure");
  let shown = null;
  const show = (tile) => {
    shown = tile;
    const svg = tile.querySelector("svg").cloneNode(true);
    const caption = tile.closest("figure").querySelector("figcaption");
    figure.replaceChildren(svg, ...(caption ? [caption.cloneNode(true)] : []));
    figure.className = tile.closest(".pictures").className.replace("pictures", "");
    svg.style.setProperty("--ratio", tile.style.getPropertyValue("--ratio"));
    if (!dialog.open) dialog.showModal();
  };
  const step = (by) => {
    const tiles = [...shown.closest(".pictures").querySelectorAll("figure:not([hidden]) .tile")];
    const next = tiles[tiles.indexOf(shown) + by];
    if (next) show(next);
  };
  document.addEventListener("click", (event) => {
    const tile = event.target.closest("button.tile");
    const by = event.target.closest("[data-step]")?.dataset.step;
    if (tile) show(tile);
    else if (by === "0" || event.target === dialog) dialog.close();
    else if (by) step(Number(by));
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
  dialog.addEventListener("close", () => shown.focus());
}
