// GMN for the editor's colours, indentation and comments.
import { HighlightStyle, StreamLanguage, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { tags } from "@lezer/highlight";

const KINDS = /^(state|observation|action|emission|transition|belief|preference|policy|habit|query)\b/;
const WORDS = /^(identity|uniform|shift|grid|true|false|end)\b/;

const language = StreamLanguage.define({
  name: "gmn",
  startState: () => ({ depth: 0 }),
  token(stream, state) {
    if (stream.eatSpace()) return null;
    if (stream.match(/^(#|\/\/).*/)) return "comment";
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/)) return "string";
    if (stream.match(/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?(?![\w.])/)) return "number";
    if (stream.match(/^(gmn|agent|node)\b/)) return "keyword";
    if (stream.match(/^[\p{L}_][\w.+-]*(?=\s*:)/u)) return "propertyName";
    if (stream.match(KINDS)) return "typeName";
    if (stream.match(WORDS)) return "atom";
    if (stream.match(/^@[\w+-]*/)) return "atom";
    const bracket = stream.match(/^[{}[\]()]/);
    if (bracket) {
      state.depth = Math.max(0, state.depth + ("{[(".includes(bracket[0]) ? 1 : -1));
      return "bracket";
    }
    if (stream.match(/^[\p{L}_][\w.+-]*/u)) return "variableName";
    stream.next();
    return null;
  },
  indent(state, after, context) {
    const closes = /^\s*[}\])]/.test(after) ? 1 : 0;
    return Math.max(0, state.depth - closes) * context.unit;
  },
  languageData: { commentTokens: { line: "#" }, closeBrackets: { brackets: ["(", "[", "{", '"'] }, indentOnInput: /^\s*[}\])]$/ },
});

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--accent)", fontWeight: "600" },
  { tag: tags.typeName, color: "var(--accent)" },
  { tag: tags.propertyName, color: "var(--ink-soft)" },
  { tag: tags.atom, color: "var(--code-word)" },
  { tag: tags.number, color: "var(--code-number)" },
  { tag: tags.string, color: "var(--code-string)" },
  { tag: tags.comment, color: "var(--ink-soft)", fontStyle: "italic" },
]);

export const gmn = [language, syntaxHighlighting(colours), indentUnit.of("  ")];
