// One side: groups of fields as a tree, of which only the visible rows exist in the page.

const ROW = 42;
const SPARE = 6;

class Tree {
  constructor({ side, describe, onScroll }) {
    this.side = side;
    this.describe = describe;
    this.groups = [];
    this.rows = [];
    this.index = new Map();
    this.collapsed = new Set();
    this.query = "";
    this.hide = null;
    this.active = -1;
    this.shown = new Map();
    this.sheet = element("div", { class: "sheet", role: "presentation" });
    this.box = element("div", {
      class: `tree ${side}`, role: "tree", tabindex: "0", "data-test": `${side}-tree`,
    }, this.sheet);
    this.box.addEventListener("scroll", () => { this.render(); onScroll(); }, { passive: true });
  }

  load(groups) {
    this.groups = groups;
    this.fields = new Map();
    for (const group of groups) for (const field of group.fields) this.fields.set(keyOf([group.name, field.name]), field);
    this.layout();
  }

  // hide: a function (key) => boolean for "unmapped only", or null.
  filter(query, hide) {
    this.query = query.trim().toLowerCase();
    this.hide = hide;
    this.layout();
  }

  layout() {
    const current = this.rows[this.active]?.key;
    const rows = [];
    for (const group of this.groups) {
      const place = [group.name];
      const fields = group.fields
        .map((field) => ({ kind: "field", group, field, place: [group.name, field.name] }))
        .map((row) => ({ ...row, key: keyOf(row.place) }))
        .filter((row) => this.matches(row) && !this.hide?.(row.key));
      if (!fields.length && (this.query || this.hide)) continue;
      const open = this.query !== "" || !this.collapsed.has(group.name);
      rows.push({ kind: "group", group, place, key: `${SEPARATOR}${SEPARATOR}${group.name}`, count: fields.length, open });
      if (open) rows.push(...fields.map((row, at) => ({ ...row, at: at + 1, of: fields.length })));
    }
    this.rows = rows;
    this.index = new Map(rows.map((row, at) => [row.key, at]));
    this.active = this.index.get(current) ?? -1;
    this.sheet.style.height = `${rows.length * ROW}px`;
    this.refresh();
  }

  matches({ field, group }) {
    if (!this.query) return true;
    return `${field.name} ${field.label} ${group.label}`.toLowerCase().includes(this.query);
  }

  toggle(name, open = this.collapsed.has(name)) {
    if (open) this.collapsed.delete(name);
    else this.collapsed.add(name);
    this.layout();
  }

  // Draw all visible rows again, because what they say has changed; their nodes stay under the pointer.
  refresh() {
    for (const [at, node] of this.shown) {
      if (at < this.rows.length) {
        this.paint(node, this.rows[at], at);
      } else {
        node.remove();
        this.shown.delete(at);
      }
    }
    this.render();
  }

  render() {
    const height = this.box.clientHeight || 600;
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW) - SPARE);
    const last = Math.min(this.rows.length, Math.ceil((this.box.scrollTop + height) / ROW) + SPARE);
    for (const [at, node] of this.shown) {
      if (at < first || at >= last) {
        node.remove();
        this.shown.delete(at);
      }
    }
    for (let at = first; at < last; at += 1) {
      if (!this.shown.has(at)) {
        const node = this.draw(this.rows[at], at);
        this.shown.set(at, node);
        this.sheet.append(node);
      }
    }
    const active = this.shown.get(this.active);
    if (active) this.box.setAttribute("aria-activedescendant", active.id);
    else this.box.removeAttribute("aria-activedescendant");
  }

  draw(row, at) {
    const node = element("div", { role: "treeitem", id: `${this.side}-${at}`, "data-at": at });
    node.style.top = `${at * ROW}px`;
    this.paint(node, row, at);
    return node;
  }

  paint(node, row, at) {
    const group = row.kind === "group";
    node.className = `row ${row.kind}${at === this.active ? " active" : ""}`;
    assign(node, {
      "data-test": `${this.side}-${row.kind}`, "data-group": row.group.name, "data-name": row.field?.name ?? null,
      "aria-level": group ? 1 : 2, "aria-posinset": row.at ?? null, "aria-setsize": row.of ?? null,
      "aria-expanded": group ? String(row.open) : null, "aria-selected": null, "aria-disabled": null,
      "aria-required": null, title: null,
    });
    node.replaceChildren();
    if (group) {
      const label = element("span", { class: "label" });
      label.textContent = row.group.label;
      const name = element("span", { class: "name" });
      name.textContent = row.group.name === row.group.label ? "" : row.group.name;
      const count = element("span", { class: "count" });
      count.textContent = String(row.count);
      node.append(element("span", { class: "fold", "aria-hidden": "true" }), label, name, count);
    } else {
      this.describe(node, row);
    }
  }

  // Where the line to a field ends, seen from the top of this box: {y, inside, folded}, or null when filtered out.
  anchor(place) {
    let at = this.index.get(keyOf(place));
    let folded = false;
    if (at === undefined) {
      if (this.query || this.hide || !this.collapsed.has(place[0]) || !this.fields.has(keyOf(place))) return null;
      at = this.index.get(`${SEPARATOR}${SEPARATOR}${place[0]}`);
      folded = true;
      if (at === undefined) return null;
    }
    const y = at * ROW + ROW / 2 - this.box.scrollTop;
    return { y, inside: y > 0 && y < this.box.clientHeight, folded };
  }

  rowOf(node) {
    const found = node?.closest?.(".row");
    return found && this.sheet.contains(found) ? this.rows[Number(found.dataset.at)] : null;
  }

  activate(at, { scroll = true } = {}) {
    if (!this.rows.length) return;
    this.active = clamp(at, 0, this.rows.length - 1);
    if (scroll) {
      const top = this.active * ROW;
      const low = this.box.scrollTop;
      const high = low + this.box.clientHeight - ROW;
      if (top < low) this.box.scrollTop = top;
      else if (top > high) this.box.scrollTop = top - this.box.clientHeight + ROW;
    }
    this.refresh();
  }

  current() {
    return this.rows[this.active] ?? null;
  }
}
