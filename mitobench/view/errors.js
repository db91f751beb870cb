// Loaded after neuroglancer's own program: what is chosen in the list of errors comes into view, and j and k step through
// it. Without this file the list still works, as neuroglancer has it: a right click moves to an entry.
"use strict";
(async () => {
  const { layer, first, views } = await (await fetch("errors.json")).json();
  const names = Object.keys(views);
  const part = (key) => viewer.state.children.get(key);
  const chosen = () => part("selection").toJSON()?.layers?.[layer]?.annotationId;
  let shown;

  function show(name) {
    const { segments, ...view } = views[name];
    for (const [key, value] of Object.entries(view)) part(key).restoreState(value);
    for (const labels of Object.keys(segments)) {
      const group = viewer.layerManager.getLayerByName(labels)?.layer?.displayState.segmentationGroupState.value;
      group?.selectedSegments.delete(views[shown].segments[labels].map(BigInt));
      group?.visibleSegments.add(segments[labels].map(BigInt));
    }
    shown = name;
  }

  function choose(name) {
    part("selection").restoreState({ layers: { [layer]: { annotationId: name, annotationSource: 0 } } });
  }

  function bind(key, action, step) {
    viewer.inputEventBindings.global.set(key, action);
    viewer.bindAction(action, () => choose(names[(names.indexOf(shown) + step + names.length) % names.length]));
  }

  if (names.length === 0) return;
  bind("keyj", "next-error", 1);
  bind("keyk", "previous-error", -1);
  // A list scrolls to what is chosen once it is drawn, not before.
  const waiting = setInterval(() => {
    if (!document.querySelector(".neuroglancer-annotation-list-entry")) return;
    clearInterval(waiting);
    const before = chosen();
    shown = before in views ? before : first;
    part("selection").restoreState(undefined);
    choose(shown);
    part("selection").changed.add(() => {
      const name = chosen();
      if (name !== shown && name in views) show(name);
    });
  }, 100);
})();
