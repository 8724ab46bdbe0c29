// The lines between both sides; only those that can be seen exist in the page.

class Lines {
  constructor(onPick) {
    this.svg = shape("svg", { class: "lines", "aria-hidden": "true", "data-test": "lines" });
    this.ghost = shape("path", { class: "ghost", visibility: "hidden" });
    this.layer = shape("g");
    this.svg.append(this.layer, this.ghost);
    this.drawn = new Map();
    this.svg.addEventListener("click", (event) => {
      const target = event.target.closest?.("g[data-key]")?.dataset.key;
      if (target !== undefined) onPick(target);
    });
  }

  draw(links, selected, sources, targets, frame) {
    const seen = new Set();
    for (const [key, link] of links) {
      if (!link.source) continue;
      const from = sources.anchor(link.source);
      const to = targets.anchor(link.target);
      if (!from || !to || !(from.inside || to.inside)) continue;
      seen.add(key);
      const node = this.node(key);
      const y1 = clamp(from.y, 4, frame.height - 4);
      const y2 = clamp(to.y, 4, frame.height - 4);
      const path = curve(frame.left, y1 + frame.top, frame.right, y2 + frame.top);
      if (node.path !== path) {
        node.path = path;
        node.hit.setAttribute("d", path);
        node.line.setAttribute("d", path);
      }
      const kind = `${link.source[0] ? "detail" : "header"}${!link.source[0] !== !link.target[0] ? " crossing" : ""}`;
      const style = `${kind}${from.inside && to.inside ? "" : " partly"}${key === selected ? " selected" : ""}`;
      if (node.style !== style) {
        node.style = style;
        node.group.setAttribute("class", style);
      }
    }
    for (const [key, node] of this.drawn) {
      if (!seen.has(key)) {
        node.group.remove();
        this.drawn.delete(key);
      }
    }
  }

  node(key) {
    let node = this.drawn.get(key);
    if (!node) {
      const group = shape("g", { "data-test": "link" });
      group.dataset.key = key;
      const [table, name] = key.split(SEPARATOR);
      group.dataset.group = table;
      group.dataset.name = name;
      node = { group, hit: shape("path", { class: "hit" }), line: shape("path", { class: "line" }), path: "", style: "" };
      group.append(node.hit, node.line);
      this.layer.append(group);
      this.drawn.set(key, node);
    }
    return node;
  }

  drag(from, to) {
    this.ghost.setAttribute("d", curve(from.x, from.y, to.x, to.y));
    this.ghost.setAttribute("visibility", "visible");
  }

  release() {
    this.ghost.setAttribute("visibility", "hidden");
  }
}

function curve(x1, y1, x2, y2) {
  const bend = Math.max(30, Math.abs(x2 - x1) / 2) * Math.sign(x2 - x1 || 1);
  return `M${x1} ${y1.toFixed(1)}C${x1 + bend} ${y1.toFixed(1)} ${x2 - bend} ${y2.toFixed(1)} ${x2} ${y2.toFixed(1)}`;
}
