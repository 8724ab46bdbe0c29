// Arrows move, Enter picks a source and links it on the target, Delete removes, Ctrl+Z and Ctrl+Y undo and redo.

class Keyboard {
  constructor(mapper) {
    this.mapper = mapper;
    for (const tree of [mapper.sources, mapper.targets]) {
      tree.box.addEventListener("keydown", (event) => this.press(tree, event));
      tree.box.addEventListener("focus", () => { if (tree.active < 0) tree.activate(0); });
    }
    mapper.root.addEventListener("keydown", (event) => this.history(event));
  }

  history(event) {
    if (!(event.ctrlKey || event.metaKey) || event.target.tagName === "INPUT") return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    this.mapper.command(key === "y" || event.shiftKey ? "redo" : "undo");
    event.preventDefault();
  }

  press(tree, event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(tree.box.clientHeight / ROW) - 1);
    const move = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
    const row = tree.current();
    if (move !== undefined) tree.activate(clamp(tree.active + move, 0, tree.rows.length - 1));
    else if (event.key === "ArrowRight") this.right(tree, row);
    else if (event.key === "ArrowLeft") this.left(tree, row);
    else if (event.key === "Enter" || event.key === " ") this.enter(tree, row);
    else if (event.key === "Delete" || event.key === "Backspace") this.remove(tree, row);
    else if (event.key === "Escape") this.mapper.pick(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  right(tree, row) {
    if (row?.kind === "group" && !row.open) this.fold(tree, row, true);
    else if (tree === this.mapper.sources) this.go(this.mapper.targets);
  }

  left(tree, row) {
    if (row?.kind === "group" && row.open) this.fold(tree, row, false);
    else if (tree === this.mapper.targets) this.go(this.mapper.sources);
  }

  fold(tree, row, open) {
    tree.toggle(row.group.name, open);
    this.mapper.draw();
  }

  go(tree) {
    tree.box.focus();
    if (tree.active < 0) tree.activate(0);
  }

  enter(tree, row) {
    const { mapper } = this;
    if (!row) return;
    if (row.kind === "group") this.fold(tree, row, !row.open);
    else if (tree === mapper.sources) {
      mapper.pick(row.place);
      this.go(mapper.targets);
    } else if (mapper.picked) {
      const frame = mapper.root.getBoundingClientRect();
      const node = tree.shown.get(tree.active).getBoundingClientRect();
      mapper.connect(mapper.picked, row.place, { x: node.left - frame.left + node.width / 2, y: node.bottom - frame.top - 12 });
    } else {
      mapper.select(row.key);
    }
  }

  remove(tree, row) {
    const { mapper } = this;
    if (row?.kind !== "field") return;
    if (tree === mapper.targets) {
      mapper.remove(row.key);
      return;
    }
    const own = [...mapper.store.live].filter(([, link]) => link.source && keyOf(link.source) === row.key);
    if (own.length === 1) mapper.remove(own[0][0]);
    else mapper.say(own.length ? "several" : "nothing");
  }
}
