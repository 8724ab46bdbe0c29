// What a row says: a source field with its sample, a target control with what fills it.

function title(field, extra) {
  const label = element("span", { class: "label" });
  label.textContent = field.label || field.name;
  const line = element("div", { class: "first" }, label);
  if (field.label && field.label !== field.name) {
    const name = element("span", { class: "name" });
    name.textContent = field.name;
    line.append(name);
  }
  if (extra) line.append(extra);
  return line;
}

function second(text, kind = "") {
  const line = element("div", { class: `second ${kind}` });
  line.textContent = text;
  return line;
}

function badge(text) {
  const node = element("span", { class: "type" });
  node.textContent = text;
  return node;
}

function describeSource(node, { field, key }, used, picked, texts) {
  const words = element("div", { class: "words" }, title(field), second(field.sample ?? "", "sample"));
  node.append(words, badge(texts[`type.${field.type}`] ?? field.type), element("span", { class: "port" }));
  node.classList.toggle("linked", used.has(key));
  node.classList.toggle("picked", key === picked);
  node.setAttribute("aria-selected", String(key === picked));
  if (field.missing) node.classList.add("missing");
  node.title = [field.name, field.label, field.sample].filter(Boolean).join("\n");
}

function describeTarget(node, { field, key }, link, note, selected, sourceLabel, texts) {
  const star = field.required ? element("span", { class: "star", title: texts.required }) : null;
  if (star) star.textContent = "*";
  let fill = link?.source ? `← ${sourceLabel(link.source)}` : "";
  if (note) fill = fill ? `${fill} · ${note.text}` : note.text;
  const words = element("div", { class: "words" }, title(field, star), second(fill || field.hint || "", fill ? "fill" : "hint"));
  node.append(element("span", { class: "port" }), words, badge(texts[`type.${field.type}`] ?? field.type));
  node.classList.toggle("linked", Boolean(link));
  node.classList.toggle("detail", Boolean(link?.source?.[0]));
  node.classList.toggle("wanting", Boolean(field.required && !link));
  node.classList.toggle("fixed", field.settable === false);
  node.classList.toggle("missing", Boolean(field.missing));
  node.classList.toggle("chosen", key === selected);
  node.setAttribute("aria-selected", String(key === selected));
  if (field.settable === false) node.setAttribute("aria-disabled", "true");
  if (field.required) node.setAttribute("aria-required", "true");
  node.title = [field.label, field.name, fill, field.hint].filter(Boolean).join("\n");
}
