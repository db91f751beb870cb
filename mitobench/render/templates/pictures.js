(() => {
  const boxes = document.querySelectorAll("input[data-hide]");
  for (const box of boxes) {
    box.addEventListener("change", () => {
      document.body.classList.toggle(`hide-${box.dataset.hide}`, !box.checked);
      for (const other of boxes) if (other.dataset.hide === box.dataset.hide) other.checked = box.checked;
    });
  }
  for (const controls of document.querySelectorAll("[data-outlines]")) controls.hidden = false;

  const dialog = document.getElementById("zoom");
  for (const button of document.querySelectorAll("button.zoom")) {
    button.addEventListener("click", () => {
      const picture = button.querySelector("svg");
      dialog.querySelector("p").textContent = picture.querySelector("title").textContent;
      dialog.querySelector("div").replaceChildren(picture.cloneNode(true));
      dialog.showModal();
    });
  }
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
})();
