// A small question beside the drop: how do many rows become one value, or one value many rows?

class Question {
  constructor(root, done) {
    this.root = root;
    this.done = done;
    this.box = null;
  }

  open(text, answers, position, then) {
    this.close(false);
    const heading = element("p", { id: "mapper-question" });
    heading.textContent = text;
    const buttons = answers.map(([value, label]) => {
      const button = element("button", { type: "button", "data-test": `answer-${value || "cancel"}` });
      button.textContent = label;
      button.addEventListener("click", () => { this.close(); if (value) then(value); });
      return button;
    });
    this.box = element("div", {
      class: "question", role: "dialog", "aria-labelledby": "mapper-question", "data-test": "question",
    }, heading, element("div", { class: "answers" }, ...buttons));
    this.box.addEventListener("keydown", (event) => {
      const at = buttons.indexOf(this.root.getRootNode().activeElement);
      const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
      if (event.key === "Escape") this.close();
      else if (event.key === "Tab") buttons[(at + (event.shiftKey ? -1 : 1) + buttons.length) % buttons.length].focus();
      else if (step) buttons[(at + step + buttons.length) % buttons.length].focus();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    this.root.append(this.box);
    const { width, height } = this.box.getBoundingClientRect();
    this.box.style.left = `${clamp(position.x - width / 2, 8, this.root.clientWidth - width - 8)}px`;
    this.box.style.top = `${clamp(position.y + 10, 8, this.root.clientHeight - height - 8)}px`;
    buttons[0].focus();
  }

  close(finished = true) {
    if (!this.box) return;
    this.box.remove();
    this.box = null;
    if (finished) this.done();
  }
}
