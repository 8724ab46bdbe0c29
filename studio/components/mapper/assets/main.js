// Streamlit calls this at every change of the data, always with its newest way back to Python.

const mounted = new WeakMap();

export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  let mapper = mounted.get(parentElement);
  if (!mapper) {
    mapper = new Mapper(parentElement);
    mounted.set(parentElement, mapper);
  }
  mapper.channel = { setStateValue, setTriggerValue };
  mapper.receive(data);
  const call = (mapper.calls = (mapper.calls ?? 0) + 1);
  return () => {
    if (mapper.calls !== call) return;
    mounted.delete(parentElement);
    mapper.close();
  };
}
