// Above the trees: search on both sides, undo and redo, "unmapped only", and how much is done.

class Toolbar {
  constructor(mapper) {
    this.mapper = mapper;
    this.searchSource = this.search("source");
    this.searchTarget = this.search("target");
    this.undo = this.button("undo", "↶", () => mapper.command("undo"));
    this.redo = this.button("redo", "↷", () => mapper.command("redo"));
    this.only = element("button", { type: "button", "data-test": "unmapped-only", "aria-pressed": "false" });
    this.only.addEventListener("click", () => {
      this.only.setAttribute("aria-pressed", String(!this.unmapped));
      mapper.update();
    });
    this.counts = element("span", { class: "counts", "data-test": "counts" });
    this.box = element("div", { class: "toolbar" },
      this.searchSource,
      element("div", { class: "middle" }, this.undo, this.redo, this.only),
      this.searchTarget,
    );
  }

  get unmapped() {
    return this.only.getAttribute("aria-pressed") === "true";
  }

  search(side) {
    const input = element("input", { type: "search", autocomplete: "off", spellcheck: "false", "data-test": `search-${side}` });
    input.addEventListener("input", () => this.mapper.update());
    return input;
  }

  button(name, sign, act) {
    const button = element("button", { type: "button", class: "icon", "data-test": name });
    button.textContent = sign;
    button.addEventListener("click", act);
    return button;
  }

  translate(texts) {
    for (const [input, text] of [[this.searchSource, texts.search_sources], [this.searchTarget, texts.search_targets]]) {
      input.placeholder = text;
      input.setAttribute("aria-label", text);
    }
    for (const [button, text] of [[this.undo, texts.undo_title], [this.redo, texts.redo_title]]) {
      button.title = text;
      button.setAttribute("aria-label", text);
    }
    this.only.textContent = texts.unmapped_only;
  }

  // Lay both trees out again if what the filters say has changed.
  apply() {
    const { sources, targets, used, store } = this.mapper;
    const state = JSON.stringify([
      this.searchSource.value, this.searchTarget.value, this.unmapped && [[...used], [...store.live.keys()]],
    ]);
    if (state === this.state) return;
    this.state = state;
    sources.filter(this.searchSource.value, this.unmapped ? (key) => used.has(key) : null);
    targets.filter(this.searchTarget.value, this.unmapped ? (key) => store.live.has(key) : null);
  }

  count() {
    const { targets, store, texts } = this.mapper;
    let wanting = 0;
    for (const [key, field] of targets.fields) if (field.required && !store.live.has(key)) wanting += 1;
    this.counts.textContent = fill(texts.counts, { done: store.live.size, all: targets.fields.size, wanting });
    this.counts.classList.toggle("wanting", wanting > 0);
  }
}
