// A slider with its name before it and its value behind it; where `interval` is above 0
// also a button that plays its steps. Native controls: a screen reader knows them.

function render({ model, el }) {
  const name = document.createElement("span");
  const range = document.createElement("input");
  const label = document.createElement("label");
  const shown = document.createElement("output");
  range.type = "range";
  name.textContent = model.get("label");
  label.append(name, range);
  el.classList.add("labkit-slider");
  keepKeys(range);
  el.append(label, shown);

  const logarithmic = model.get("logarithmic");
  const written = (value) =>
    logarithmic ? value.toFixed(3) : String(Math.round(value * 100) / 100);

  function change(value) {
    model.set("value", value);
    model.save_changes();
  }

  function update() {
    const value = model.get("value");
    range.min = model.get("min");
    range.max = model.get("max");
    range.step = model.get("step");
    range.value = logarithmic ? Math.log10(value) : value;
    shown.textContent = written(value);
    range.setAttribute("aria-valuetext", written(value));
  }

  range.addEventListener("input", () => {
    const place = Number(range.value);
    change(logarithmic ? 10 ** place : place);
  });
  model.on("change:value change:min change:max", update);
  update();

  const interval = model.get("interval");
  const stop = interval > 0 ? addPlayButton(model, el, interval, change) : () => {};
  return () => {
    stop();
    model.off("change:value change:min change:max", update);
  };
}

// Arrow keys move the slider, Enter presses the button: JupyterLab takes both for the
// notebook unless the control itself says not to.
function keepKeys(control) {
  control.dataset.lmSuppressShortcuts = "true";
}

function addPlayButton(model, el, interval, change) {
  const button = document.createElement("button");
  let timer = null;

  function show() {
    button.textContent = timer === null ? "Play" : "Pause";
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    show();
  }

  function advance() {
    const next = model.get("value") + model.get("step");
    if (next > model.get("max")) stop();
    else change(next);
  }

  function start() {
    if (model.get("value") >= model.get("max")) change(model.get("min"));
    timer = setInterval(advance, interval);
    show();
  }

  button.type = "button";
  keepKeys(button);
  button.addEventListener("click", () => (timer === null ? start() : stop()));
  show();
  el.prepend(button);
  return stop;
}

export default { render };
