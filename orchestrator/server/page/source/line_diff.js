// Lines of two texts side by side: the longest common sequence, with a little of what is around.
const AROUND = 2;
const MOST = 2000; // lines of a text; beyond that all of them are compared as removed and added

/** Pairs of a mark (" ", "-", "+", "…") and a line. */
export function lineDiff(before, after) {
  const old = before.split("\n");
  const now = after.split("\n");
  if (old.length > MOST || now.length > MOST) return [["…", "the texts are too long to compare line by line"]];
  return shortened(merged(old, now, lengths(old, now)));
}

function lengths(old, now) {
  const table = Array.from({ length: old.length + 1 }, () => new Uint16Array(now.length + 1));
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      table[i][j] = old[i] === now[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
    }
  }
  return table;
}

function merged(old, now, table) {
  const lines = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) lines.push([" ", old[i++], j++]);
    else if (i < old.length && (j >= now.length || table[i + 1][j] >= table[i][j + 1])) lines.push(["-", old[i++]]);
    else lines.push(["+", now[j++]]);
  }
  return lines;
}

function shortened(lines) {
  const near = (at) => lines.slice(Math.max(0, at - AROUND), at + AROUND + 1).some(([mark]) => mark !== " ");
  const shown = [];
  lines.forEach(([mark, line], at) => {
    if (mark !== " " || near(at)) shown.push([mark, line]);
    else if (shown.length && shown.at(-1)[0] !== "…") shown.push(["…", ""]);
  });
  return shown;
}
