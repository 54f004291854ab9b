// Tables: a click on a heading sorts by it, another click reverses the order.
const value = (row, column) => {
  const cell = row.cells[column];
  const text = cell.dataset.sort ?? cell.textContent.trim().replaceAll(",", "");
  return text !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
};
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const down = heading.ariaSort !== "descending" && heading.classList.contains("number")
        || heading.ariaSort === "ascending";
      for (const each of headings) each.removeAttribute("aria-sort");
      heading.ariaSort = down ? "descending" : "ascending";
      const rows = [...table.tBodies[0].rows].sort((one, other) => {
        const [a, b] = [value(one, column), value(other, column)];
        const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(b);
        return down ? -order : order;
      });
      table.tBodies[0].append(...rows);
    });
  });
}
// Galleries: which pictures are shown, in which order, with which boxes.
for (const gallery of document.querySelectorAll(".gallery")) {
  const form = gallery.querySelector("form");
  if (!form) continue;
  const pictures = gallery.querySelector(".pictures");
  const listed = [...pictures.children];
  const show = () => {
    const wanted = (picture, name) => !form[name].value || picture.dataset[name] === form[name].value;
    for (const picture of listed) {
      picture.hidden = !["event", "height", "why"].every((name) => wanted(picture, name));
    }
    const by = form.sort.value;
    pictures.append(...(by ? listed.toSorted((a, b) => b.dataset[by] - a.dataset[by]) : listed));
    pictures.classList.toggle("without-labelled", !form.labelled.checked);
    pictures.classList.toggle("without-detected", !form.detected.checked);
    form.querySelector("label output").value = Number(form.least.value).toFixed(2);
    for (const box of pictures.querySelectorAll("rect[data-score]")) {
      const below = Number(box.dataset.score) < Number(form.least.value);
      box.classList.toggle("below", below && !box.classList.contains("subject"));
    }
    form.shown.value = listed.filter((picture) => !picture.hidden).length;
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
}
