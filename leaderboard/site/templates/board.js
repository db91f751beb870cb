(() => {
  const letters = new Intl.Collator("en", { numeric: true });

  // Undefined values come last whichever way the others are sorted.
  const sort = (table, column, sign) => {
    const [body] = table.tBodies;
    const texts = [...body.rows].map((row) => row.cells[column].dataset.value);
    const numeric = texts.every((text) => !Number.isNaN(Number(text)));
    const compare = numeric ? (a, b) => a - b : letters.compare;
    const keyed = [...body.rows].map((row, k) => [texts[k], row, k]);
    keyed.sort(([a, , i], [b, , j]) => (a === "") - (b === "") || sign * compare(a, b) || i - j);
    body.append(...keyed.map(([, row]) => row));
  };

  const makeSortable = (table) => {
    const heads = [...table.querySelectorAll("th[data-column]")];
    const sortBy = (head, order) => {
      for (const other of heads) other.setAttribute("aria-sort", other === head ? order : "none");
      sort(table, Number(head.dataset.column), order === "ascending" ? 1 : -1);
    };
    for (const head of heads) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => {
        const opposite = { ascending: "descending", descending: "ascending" };
        sortBy(head, opposite[head.getAttribute("aria-sort")] ?? head.dataset.first);
      });
      head.append(button);
      head.setAttribute("aria-sort", "none");
    }
    heads[0].setAttribute("aria-sort", "ascending");
  };

  const makeChoosable = (form, table) => {
    const choose = () => {
      const { volume, bucket, intervals } = Object.fromEntries(new FormData(form));
      const isHidden = ({ dataset }) => (
        Boolean((volume && dataset.volume !== volume) || (bucket && dataset.bucket !== bucket))
      );
      for (const cell of table.querySelectorAll("[data-bucket]")) cell.hidden = isHidden(cell);
      for (const head of table.querySelectorAll(".volume")) {
        head.hidden = Boolean(volume) && head.dataset.volume !== volume;
        head.colSpan = bucket ? 1 : 4;
      }
      table.classList.toggle("short", !intervals);
    };
    form.addEventListener("input", choose);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    choose();
  };

  for (const board of document.querySelectorAll("section.board")) {
    const table = board.querySelector("table.ranks");
    makeSortable(table);
    makeChoosable(board.querySelector("form"), table);
  }
})();
