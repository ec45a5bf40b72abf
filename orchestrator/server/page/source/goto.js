// Who shows a place in the text: the editor, once it is there.
let show = () => {};

export const showPlacesWith = (shower) => void (show = shower);

/** Put the cursor on a line and a column, both from 1. */
export const goTo = (line, column) => show(line, column ?? 1);
