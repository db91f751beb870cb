(() => {
  const PER_PAGE = 50;
  const SIDES = { gt: "ground truth", pred: "prediction" };
  const BUCKETS = ["small", "medium", "large"];
  const { columns, tables, pictures } = JSON.parse(document.getElementById("data").textContent);
  const explorer = document.getElementById("explorer");
  const form = explorer.querySelector("form");
  const body = explorer.querySelector("tbody");
  const element = (id) => document.getElementById(id);
  const picture = new Map(pictures.map(([table, row, number]) => [`${table} ${row}`, number]));

  const valueAt = (table, row, column) => {
    const data = tables[table].data[column];
    if (data === null) return null;
    return data.texts ? data.texts[data.index[row]] : data[row];
  };
  const position = (name) => columns.findIndex((column) => column.name === name);
  const of = (name) => {
    const column = position(name);
    return column < 0 ? () => null : ([table, row]) => valueAt(table, row, column);
  };
  const [idOf, sizeOf, verdictOf, bucketOf] = ["id", "size", "verdict", "bucket"].map(of);
  const lengthOf = ({ data }) => data[position("id")].length;
  const rows = tables.flatMap((table, t) => Array.from({ length: lengthOf(table) }, (_, row) => [t, row]));

  // Integers above 2^53 come as texts; a browser compares its big integers with plain numbers exactly.
  const numeric = (value) => (typeof value === "string" && /^-?\d+$/.test(value) ? BigInt(value) : value);
  const sides = { name: "side", label: "Side", kind: "text", value: ([t]) => SIDES[tables[t].side] ?? tables[t].side };
  const volumes = { name: "volume", label: "Volume", kind: "text", value: ([t]) => tables[t].volume };
  const listed = columns.map((column, c) => ({ ...column, value: ([t, row]) => valueAt(t, row, c) }));
  const saved = [volumes, sides, ...listed];
  const several = new Set(tables.map((table) => table.volume)).size > 1;
  const shown = saved.filter((column) => !column.hidden && (several || column !== volumes));
  const keyOf = (column) => {
    if (column.name === "bucket") return (row) => BUCKETS.indexOf(column.value(row));
    return column.kind === "text" ? column.value : (row) => numeric(column.value(row));
  };

  let sorted = { column: shown.find((column) => column.name === "size") ?? shown[0], sign: -1 };
  let found = rows;
  let page = 0;

  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  // Undefined values come last whichever way the others are sorted.
  const sort = () => {
    const key = keyOf(sorted.column);
    const keyed = found.map((row, k) => [key(row), row, k]);
    keyed.sort(([a, , i], [b, , j]) => (a === null) - (b === null) || sorted.sign * compare(a, b) || i - j);
    found = keyed.map(([, row]) => row);
  };
  const filter = () => {
    const { volume, side, verdict, bucket, id, least } = Object.fromEntries(new FormData(form));
    const wanted = id.trim();
    found = rows.filter((row) => (
      (!volume || tables[row[0]].volume === volume) && (!side || tables[row[0]].side === side)
      && (!verdict || verdictOf(row) === verdict) && (!bucket || bucketOf(row) === bucket)
      && (!wanted || String(idOf(row)).includes(wanted)) && (!least || numeric(sizeOf(row)) >= Number(least))
    ));
    page = 0;
    sort();
    show();
  };

  const format = (column, value) => {
    if (value === null) return "\u2013";
    if (column.kind !== "number") return String(value);
    const digits = column.digits ?? (Number.isInteger(value) ? 0 : 3);
    const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    return typeof value === "number" ? value.toLocaleString("en-US", options) : String(value);
  };
  const swatch = (verdict) => {
    const span = document.createElement("span");
    span.className = `swatch v-${verdict}`;
    return span;
  };
  const cell = (column, row) => {
    const td = document.createElement("td");
    const text = format(column, column.value(row));
    const number = column.name === "id" ? picture.get(row.join(" ")) : undefined;
    if (column.kind !== "text") td.className = "n";
    if (column.name === "verdict") td.append(swatch(text));
    if (number === undefined) {
      td.append(text);
      return td;
    }
    const link = document.createElement("a");
    link.href = `#picture-${number}`;
    link.textContent = text;
    link.title = "Show the picture";
    td.append(link);
    return td;
  };
  const line = (row) => {
    const tr = document.createElement("tr");
    tr.append(...shown.map((column) => cell(column, row)));
    const link = tr.querySelector("a");
    if (link) {
      tr.className = "pictured";
      tr.addEventListener("click", (event) => { if (event.target !== link) link.click(); });
    }
    return tr;
  };
  const show = () => {
    const pages = Math.max(1, Math.ceil(found.length / PER_PAGE));
    const first = page * PER_PAGE;
    body.replaceChildren(...found.slice(first, first + PER_PAGE).map(line));
    const total = rows.length.toLocaleString("en-US");
    element("count").textContent = `${found.length.toLocaleString("en-US")} of ${total} instances`;
    element("page").textContent = `Page ${page + 1} of ${pages}`;
    element("previous").disabled = page === 0;
    element("next").disabled = page >= pages - 1;
    for (const th of explorer.querySelectorAll("thead th")) {
      const own = th.dataset.column === sorted.column.name;
      th.setAttribute("aria-sort", own ? (sorted.sign < 0 ? "descending" : "ascending") : "none");
    }
  };
  const turn = (step) => {
    page += step;
    show();
  };

  const quoted = (value) => {
    const text = value === null ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const csv = () => {
    const head = saved.map((column) => quoted(column.name)).join(",");
    const lines = found.map((row) => saved.map((column) => quoted(column.value(row))).join(","));
    return [head, ...lines, ""].join("\n");
  };
  const save = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
    link.download = "instances.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  const heading = (column) => {
    const th = document.createElement("th");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = column.label;
    button.addEventListener("click", () => {
      const again = sorted.column === column;
      sorted = { column, sign: again ? -sorted.sign : 1 };
      page = 0;
      sort();
      show();
    });
    th.scope = "col";
    th.dataset.column = column.name;
    if (column.kind !== "text") th.className = "n";
    th.append(button);
    return th;
  };
  const fill = (name, values, label = (value) => value) => {
    const select = form.elements[name];
    const option = (text, value) => new Option(text, value);
    select.replaceChildren(option("all", ""), ...[...new Set(values)].map((value) => option(label(value), value)));
    select.parentElement.hidden = select.options.length < 3;
  };

  explorer.querySelector("thead tr").append(...shown.map(heading));
  fill("volume", tables.map((table) => table.volume));
  fill("side", tables.map((table) => table.side), (side) => SIDES[side] ?? side);
  fill("verdict", rows.map(verdictOf).sort());
  fill("bucket", BUCKETS.filter((bucket) => rows.some((row) => bucketOf(row) === bucket)));
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  element("previous").addEventListener("click", () => turn(-1));
  element("next").addEventListener("click", () => turn(1));
  element("save").addEventListener("click", save);
  element("hint").hidden = pictures.length === 0;
  explorer.hidden = false;
  filter();
})();
