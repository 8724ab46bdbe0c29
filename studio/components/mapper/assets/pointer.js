// Mouse, pen and finger: press on a field, draw to the other side, let go.

const SLACK = 4;
const EDGE = 36;

class Pointer {
  constructor(mapper) {
    this.mapper = mapper;
    this.start = null;
    this.over = null;
    const { stage } = mapper;
    stage.addEventListener("pointerdown", (event) => this.press(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    stage.addEventListener("pointerup", (event) => this.drop(event));
    stage.addEventListener("pointercancel", () => this.cancel());
  }

  side(node) {
    const { sources, targets } = this.mapper;
    if (sources.box.contains(node)) return sources;
    return targets.box.contains(node) ? targets : null;
  }

  press(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    const tree = this.side(event.target);
    const row = tree?.rowOf(event.target);
    if (!row) return;
    this.mapper.question.close(false);
    const finger = event.pointerType === "touch" && !event.target.closest(".port");
    this.start = { tree, row, x: event.clientX, y: event.clientY, id: event.pointerId, dragging: false, finger };
  }

  move(event) {
    const { start, mapper } = this;
    if (!start || event.pointerId !== start.id || start.row.kind !== "field" || start.finger) return;
    if (!start.dragging) {
      if (Math.hypot(event.clientX - start.x, event.clientY - start.y) < SLACK) return;
      start.dragging = true;
      mapper.stage.setPointerCapture(event.pointerId);
      mapper.root.classList.add("dragging");
      mapper.pick(start.tree === mapper.sources ? start.row.place : null);
    }
    this.at = { x: event.clientX, y: event.clientY };
    this.follow();
    this.roll();
  }

  follow() {
    const { start, mapper } = this;
    const frame = mapper.stage.getBoundingClientRect();
    const to = { x: this.at.x - frame.left, y: this.at.y - frame.top };
    const anchor = start.tree.anchor(start.row.place);
    const box = start.tree.box;
    const x = start.tree === mapper.sources ? box.offsetLeft + box.offsetWidth - 9 : box.offsetLeft + 9;
    mapper.lines.drag({ x, y: clamp(anchor?.y ?? 0, 0, box.clientHeight) + box.offsetTop }, to);
    this.mark(this.under());
  }

  // The field of the other side under the pointer.
  under() {
    const { start, mapper } = this;
    const other = start.tree === mapper.sources ? mapper.targets : mapper.sources;
    const node = mapper.root.getRootNode().elementFromPoint(this.at.x, this.at.y);
    const row = other.box.contains(node) ? other.rowOf(node) : null;
    return row?.kind === "field" ? { row, node: node.closest(".row") } : null;
  }

  mark(over) {
    if (this.over && this.over !== over?.node) this.over.classList.remove("over");
    this.over = over?.node ?? null;
    this.over?.classList.add("over");
  }

  // Near the upper or lower edge of the other side, scroll it.
  roll() {
    const { start, mapper } = this;
    cancelAnimationFrame(this.rolling);
    if (!start?.dragging) return;
    const other = start.tree === mapper.sources ? mapper.targets : mapper.sources;
    const frame = other.box.getBoundingClientRect();
    const inside = this.at.x > frame.left && this.at.x < frame.right;
    const up = frame.top + EDGE - this.at.y;
    const down = this.at.y - (frame.bottom - EDGE);
    const speed = inside ? clamp(Math.max(up, down, 0) / 3, 0, 14) * (up > down ? -1 : 1) : 0;
    if (!speed) return;
    const before = other.box.scrollTop;
    other.box.scrollTop += speed;
    if (other.box.scrollTop === before) return;
    this.rolling = requestAnimationFrame(() => { this.follow(); this.roll(); });
  }

  drop(event) {
    const { start, mapper } = this;
    if (!start || event.pointerId !== start.id) return;
    if (!start.dragging) {
      this.cancel();
      this.click(start);
      return;
    }
    const over = this.under();
    this.cancel();
    if (!over) {
      mapper.pick(null);
      return;
    }
    const forward = start.tree === mapper.sources;
    const frame = mapper.root.getBoundingClientRect();
    const position = { x: event.clientX - frame.left, y: event.clientY - frame.top };
    mapper.connect(forward ? start.row.place : over.row.place, forward ? over.row.place : start.row.place, position);
  }

  click({ tree, row }) {
    const { mapper } = this;
    tree.activate(tree.index.get(row.key), { scroll: false });
    if (row.kind === "group") {
      tree.toggle(row.group.name);
      mapper.draw();
    } else if (tree === mapper.targets) {
      mapper.select(row.key);
    } else {
      mapper.pick(row.place);
    }
  }

  cancel() {
    const { start, mapper } = this;
    cancelAnimationFrame(this.rolling);
    if (start?.dragging && mapper.stage.hasPointerCapture(start.id)) mapper.stage.releasePointerCapture(start.id);
    this.start = null;
    this.mark(null);
    mapper.lines.release();
    mapper.root.classList.remove("dragging");
  }

  close() {
    cancelAnimationFrame(this.rolling);
  }
}
