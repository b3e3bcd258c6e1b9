// The colour of each name, as the desk gives them: the first eight differ.
const numbers = new Map();

export const colour = (name) => {
  if (!numbers.has(name)) numbers.set(name, numbers.size % 8);
  return `c${numbers.get(name)}`;
};
export const known = () => [...numbers.keys()];

// What a person reads of a list of names.
export const listed = (names) => names.join(" and ");

export const element = (tag, attributes = {}, ...content) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...content);
  return made;
};
