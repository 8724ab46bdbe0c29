// The component: two trees, the lines between them, and what hands on mouse and keyboard do with them.

class Mapper {
  constructor(parent) {
    this.channel = {};
    this.texts = {};
    this.notes = new Map();
    this.picked = null;
    this.selected = null;
    this.frameRequest = 0;
    this.store = new Store(
      (state) => this.channel.setStateValue("board", state),
      (entry) => this.knows(entry),
    );
    this.root = element("div", { class: "mapper", "data-test": "mapper" });
    this.lines = new Lines((key) => this.select(key));
    this.sources = this.tree("source");
    this.targets = this.tree("target");
    this.status = element("div", { class: "status", role: "status", "aria-live": "polite", "data-test": "status" });
    this.question = new Question(this.root, () => this.targets.box.focus());
    this.toolbar = new Toolbar(this);
    this.stage = element("div", { class: "stage" }, this.sources.box, element("div", { class: "gap" }), this.targets.box, this.lines.svg);
    this.root.append(this.toolbar.box, this.stage, element("div", { class: "foot" }, this.status, this.toolbar.counts));
    parent.append(this.root);
    this.pointer = new Pointer(this);
    this.keyboard = new Keyboard(this);
    this.resize = new ResizeObserver(() => { this.sources.render(); this.targets.render(); this.draw(); });
    this.resize.observe(this.stage);
  }

  tree(side) {
    return new Tree({
      side,
      describe: (node, row) => this.describe(side, node, row),
      onScroll: () => this.schedule(),
    });
  }

  describe(side, node, row) {
    if (side === "source") {
      describeSource(node, row, this.used ?? new Set(), this.picked && keyOf(this.picked), this.texts);
    } else {
      const link = this.store.live.get(row.key);
      describeTarget(node, row, link, this.notes.get(row.key), this.selected, (place) => this.nameOf(this.sources, place), this.texts);
    }
  }

  receive(data) {
    const first = this.data === undefined;
    if (data.texts !== undefined && (first || data.texts.language !== this.texts.language)) this.translate(data.texts);
    const fields = JSON.stringify([data.sources, data.targets]);
    const changed = fields !== this.fields;
    this.data = data;
    this.fields = fields;
    this.notes = new Map(data.notes.map((note) => [keyOf(note.target), note]));
    this.root.style.setProperty("--height", `${data.height}px`);
    if (changed) {
      this.sources.load(data.sources);
      this.targets.load(data.targets);
    }
    const { repeated, dropped } = this.store.receive(data);
    if (repeated) this.say("repeated", { count: repeated });
    if (dropped) this.say("dropped", { count: dropped });
    this.update();
  }

  translate(texts) {
    this.texts = texts;
    this.sources.box.setAttribute("aria-label", texts.sources);
    this.targets.box.setAttribute("aria-label", texts.targets);
    this.toolbar.translate(texts);
  }

  // Something changed: rows, lines and counts follow; filters too.
  update() {
    this.used = this.store.sourcesInUse();
    this.toolbar.apply();
    this.sources.refresh();
    this.targets.refresh();
    this.toolbar.count();
    this.draw();
  }

  schedule() {
    if (!this.frameRequest) this.frameRequest = requestAnimationFrame(() => { this.frameRequest = 0; this.draw(); });
  }

  draw() {
    const left = this.sources.box.offsetLeft + this.sources.box.offsetWidth - 9;
    const right = this.targets.box.offsetLeft + 9;
    const frame = { left, right, top: this.sources.box.offsetTop, height: this.sources.box.clientHeight };
    this.lines.draw(this.store.live, this.selected, this.sources, this.targets, frame);
  }

  knows({ target, source }) {
    return this.targets.fields.has(keyOf(target)) && (!source || this.sources.fields.has(keyOf(source)));
  }

  nameOf(tree, place) {
    const field = tree.fields.get(keyOf(place));
    const own = field?.label || place[1];
    if (!place[0]) return own;
    return `${tree.groups.find((group) => group.name === place[0])?.label ?? place[0]} · ${own}`;
  }

  say(key, values = {}) {
    this.status.textContent = fill(this.texts[key] ?? key, values);
  }

  // Link, asking first where many and one meet.
  connect(source, target, position) {
    const control = this.targets.fields.get(keyOf(target));
    const names = { source: this.nameOf(this.sources, source), target: this.nameOf(this.targets, target) };
    if (!control || control.settable === false) return this.say("cannot_set", names);
    const commit = (how) => {
      this.store.link(source, target, how === "each_row" ? "" : how);
      this.selected = keyOf(target);
      this.pick(null);
      this.update();
      this.say("linked", names);
    };
    if (source[0] && !target[0]) {
      const answers = ["first", "sum", "count", "join"].map((how) => [how, this.texts[how]]);
      return this.question.open(fill(this.texts.how, names), [...answers, ["", this.texts.cancel]], position, commit);
    }
    if (!source[0] && target[0]) {
      return this.question.open(fill(this.texts.each_row_question, names), [["each_row", this.texts.each_row], ["", this.texts.cancel]], position, commit);
    }
    if (source[0] && this.rowsOf(target) && this.rowsOf(target) !== source[0]) {
      return this.say("other_collection", { ...names, rows: this.rowsOf(target) });
    }
    return commit("");
  }

  // The collection that a table's other columns come from.
  rowsOf(target) {
    for (const link of this.store.live.values()) {
      if (link.target[0] === target[0] && link.target[1] !== target[1] && link.source?.[0]) return link.source[0];
    }
    return "";
  }

  pick(place) {
    this.picked = place;
    this.sources.refresh();
    if (place) this.say("picked", { source: this.nameOf(this.sources, place) });
  }

  select(key) {
    this.selected = key;
    this.targets.refresh();
    this.draw();
    this.edit();
  }

  edit() {
    if (this.selected) this.channel.setTriggerValue("edit", { target: this.selected.split(SEPARATOR) });
  }

  remove(key) {
    const link = this.store.live.get(key);
    if (!link) return;
    this.store.unlink(link.target);
    this.update();
    this.say("unlinked", { target: this.nameOf(this.targets, link.target) });
  }

  command(name) {
    this.store.command(name);
    this.say(name);
  }

  close() {
    this.resize.disconnect();
    this.pointer.close();
    cancelAnimationFrame(this.frameRequest);
    this.root.remove();
  }
}
