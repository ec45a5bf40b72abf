// Preact with tagged templates, so that the sources need no compiler.
import htm from "htm";
import { h } from "preact";

export const html = htm.bind(h);

/** Class names that hold, joined. */
export const classes = (...names) => names.filter(Boolean).join(" ");
