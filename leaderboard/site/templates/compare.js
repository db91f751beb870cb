(() => {
  const data = document.getElementById("data");
  const boards = JSON.parse(data.textContent);
  if (boards.length === 0) return;
  const element = (id) => document.getElementById(id);
  const form = element("chooser").querySelector("form");
  const fields = form.elements;
  const table = element("versus");
  const MINUS = "\u2212";
  const DASH = "\u2013";

  const number = (value) => (value === null ? DASH : value.toFixed(3));
  const signed = (value) => {
    if (value === null) return DASH;
    return `${value < 0 ? MINUS : "+"}${Math.abs(value).toFixed(3)}`;
  };
  const share = (p) => (p === null ? DASH : p < 0.001 ? "<0.001" : p.toFixed(3));

  // A gap is [difference, low, high, p, whether the interval leaves 0 out]; pairs are stored once, in the order (0, 1), (0, 2) ... (1, 2) ...
  const gapsOf = (board, a, b) => {
    if (a === b) return null;
    const [i, j] = a < b ? [a, b] : [b, a];
    const n = board.methods.length;
    const gaps = board.gaps[i * n - (i * (i + 1)) / 2 + j - i - 1];
    const turned = (value) => (value === null ? null : -value);
    return a < b ? gaps : gaps.map((gap) => gap && [turned(gap[0]), turned(gap[2]), turned(gap[1]), ...gap.slice(3)]);
  };

  const node = (name, text = "", attributes = {}) => {
    const made = document.createElement(name);
    made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const shape = (name, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const bar = ([value, low, high], most) => {
    const x = (difference) => 90 + (85 * difference) / most;
    const picture = shape("svg", { viewBox: "0 0 180 14", class: "chart", "aria-hidden": "true" });
    picture.append(shape("path", { d: "M90 0V14", class: "zero" }));
    if (low !== null) picture.append(shape("path", { d: `M${x(low)} 7H${x(high)}`, class: "whisker measured" }));
    const style = low === null ? "plain" : "measured";
    picture.append(shape("circle", { cx: x(value), cy: 7, r: 3.5, class: `dot ${style}` }));
    return picture;
  };

  const line = (place, scores, gap, most) => {
    const row = document.createElement("tr");
    const picture = node("td");
    if (gap) picture.append(bar(gap, most));
    const interval = gap && gap[1] !== null ? `[${signed(gap[1])}, ${signed(gap[2])}]` : DASH;
    row.append(
      node("th", place.label, { scope: "row" }),
      ...scores.map((score) => node("td", number(score), { class: "n" })),
      node("td", signed(gap ? gap[0] : null), { class: gap && gap[4] ? "n clear" : "n" }),
      node("td", interval, { class: "n" }),
      picture,
      node("td", share(gap ? gap[3] : null), { class: "n" }),
    );
    return row;
  };
  const heading = (volume) => {
    const row = node("tr", "", { class: "group" });
    const head = node("th", "", { scope: "rowgroup", colspan: 7 });
    head.append(node("bdi", volume));
    row.append(head);
    return row;
  };

  const sentence = (board, a, b, gap) => {
    const [first, second] = [board.methods[a], board.methods[b]];
    const link = ({ name, page, kind }) => {
      const made = node("a", "", { href: page });
      made.append(node("bdi", name));
      return [made, ` (${kind})`];
    };
    const ends = gap && gap[1] !== null ? `, interval [${signed(gap[1])}, ${signed(gap[2])}]` : "";
    return ["A: ", ...link(first), " \u00b7 B: ", ...link(second), ` \u00b7 difference ${signed(gap ? gap[0] : null)}${ends}`];
  };

  const show = () => {
    const board = boards[fields.board.selectedIndex];
    const [a, b] = [fields.a.selectedIndex, fields.b.selectedIndex];
    const gaps = gapsOf(board, a, b) ?? board.places.map(() => null);
    const most = Math.max(0.01, ...gaps.flatMap((gap) => (gap ? gap.slice(0, 3) : [])).map(Math.abs));
    table.caption.textContent = `${board.metric} of A and B`;
    for (const body of [...table.tBodies]) body.remove();
    board.places.forEach((place, k) => {
      const opens = k === 0 || place.volume !== board.places[k - 1].volume;
      const body = opens ? table.createTBody() : table.tBodies[table.tBodies.length - 1];
      if (opens && place.volume) body.append(heading(place.volume));
      body.append(line(place, [board.methods[a].scores[k], board.methods[b].scores[k]], gaps[k], most));
    });
    element("verdict").replaceChildren(...(a === b ? ["A and B are the same method."] : sentence(board, a, b, gaps[0])));
    element("unpaired").hidden = a === b || gaps.some((gap) => gap && gap[1] !== null);
  };

  const fill = (select, items) => select.replaceChildren(...items.map(([text, value]) => new Option(text, value)));
  const offer = () => {
    const board = boards[fields.board.selectedIndex];
    const methods = board.methods.map(({ name, kind, key }) => [`${name} (${kind})`, key]);
    fill(fields.a, methods);
    fill(fields.b, methods);
    fields.b.selectedIndex = 1;
  };
  const remember = () => {
    const chosen = new URLSearchParams({ board: fields.board.value, a: fields.a.value, b: fields.b.value });
    history.replaceState(null, "", `#${chosen}`);
  };
  const pick = (select, value) => {
    const known = [...select.options].findIndex((option) => option.value === value);
    if (known >= 0) select.selectedIndex = known;
    return known >= 0;
  };
  const restore = () => {
    const wanted = new URLSearchParams(location.hash.slice(1));
    pick(fields.board, wanted.get("board"));
    offer();
    pick(fields.a, wanted.get("a"));
    if (!pick(fields.b, wanted.get("b")) && fields.a.selectedIndex === 1) fields.b.selectedIndex = 0;
    show();
  };

  fill(fields.board, boards.map(({ label, name }) => [label, name]));
  fields.board.parentElement.hidden = boards.length < 2;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => {
    if (event.target === fields.board) offer();
    show();
    remember();
  });
  element("swap").addEventListener("click", () => {
    [fields.a.selectedIndex, fields.b.selectedIndex] = [fields.b.selectedIndex, fields.a.selectedIndex];
    show();
    remember();
  });
  addEventListener("hashchange", restore);
  restore();
  element("chooser").hidden = false;
})();
