// What is linked with what, and the conversation about it with Python (see studio/designer/desk.py).

const SEPARATOR = "\u001f";
const keyOf = (place) => place.join(SEPARATOR);

class Store {
  // The log holds every change since the epoch began; it survives a reload in sessionStorage, so that a change whose
  // message was lost is made again on top of what Python kept.
  constructor(send, known) {
    this.send = send;
    this.known = known;
    this.doc = null;
    this.epoch = null;
    this.base = [];
    this.log = [];
    this.live = new Map();
    this.seq = 0;
    this.handled = 0;
    this.sent = 0;
  }

  // Returns what happened to pending changes: {repeated, dropped}.
  receive({ doc, epoch, seen, handled, links }) {
    const outcome = { repeated: 0, dropped: 0 };
    this.handled = Math.max(this.handled, handled);
    if (doc !== this.doc) {
      this.doc = doc;
      this.log = this.stored();
      this.seq = Math.max(seen, ...this.log.map((entry) => entry.seq));
      this.epoch = null;
      this.handled = handled;
    }
    if (epoch !== this.epoch) {
      this.epoch = epoch;
      this.base = links;
      this.sent = 0;
      const pending = this.log.filter((entry) => entry.seq > seen && !this.answered(entry));
      this.log = pending.filter((entry) => entry.command || this.known(entry));
      outcome.dropped = pending.length - this.log.length;
      outcome.repeated = this.log.filter((entry) => !entry.command).length;
      this.store();
    }
    this.live = this.fold(this.log);
    this.pump();
    return outcome;
  }

  answered(entry) {
    return Boolean(entry.command) && entry.n <= this.handled;
  }

  link(source, target, how = "") {
    this.append({ target, source, how });
  }

  unlink(target) {
    this.append({ target, source: null });
  }

  command(name) {
    const last = this.log.filter((entry) => entry.command).map((entry) => entry.n);
    this.append({ command: name, n: Math.max(this.handled, ...last) + 1 });
  }

  append(entry) {
    this.seq += 1;
    this.log.push({ ...entry, seq: this.seq });
    this.live = this.fold(this.log);
    this.store();
    this.pump();
  }

  fold(entries) {
    const links = new Map(this.base.map((link) => [keyOf(link.target), link]));
    for (const { command, target, source, how } of entries) {
      if (command) continue;
      links.delete(keyOf(target));
      if (source) links.set(keyOf(target), { target, source, how });
    }
    return links;
  }

  // Send everything up to the first unanswered commands; what follows waits for their answer.
  pump() {
    const first = this.log.findIndex((entry) => entry.command && !this.answered(entry));
    let end = this.log.length;
    if (first >= 0) {
      end = first;
      while (end < this.log.length && this.log[end].command) end += 1;
    }
    const part = this.log.slice(0, end);
    const seq = part.length ? part[part.length - 1].seq : 0;
    if (seq <= this.sent) return;
    this.sent = seq;
    const commands = part.filter((entry) => entry.command && !this.answered(entry));
    this.send({
      doc: this.doc,
      epoch: this.epoch,
      seq,
      links: [...this.fold(part).values()],
      selected: part[part.length - 1].target ?? null,
      commands: commands.map(({ n, command }) => ({ n, name: command })),
    });
  }

  sourcesInUse() {
    const used = new Set();
    for (const link of this.live.values()) if (link.source) used.add(keyOf(link.source));
    return used;
  }

  stored() {
    try {
      return JSON.parse(sessionStorage.getItem(`b1-mapper:${this.doc}`) ?? "[]");
    } catch {
      return [];
    }
  }

  store() {
    try {
      sessionStorage.setItem(`b1-mapper:${this.doc}`, JSON.stringify(this.log));
    } catch {
      // Full or forbidden: the live session still holds every change.
    }
  }
}
