/** How wide text is on a terminal. Pure. */

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

// East Asian Wide and Fullwidth (Unicode's EastAsianWidth.txt), by scripts and blocks; and what terminals draw as a picture.
const WIDE =
  /^(?:\p{Emoji_Presentation}|\p{Emoji}\u{FE0F}|\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Script=Yi}|\p{Script=Bopomofo}|[\u3000-\u303E\uFF01-\uFF60\uFFE0-\uFFE6])/u;
const HALF = /^[\uFF61-\uFFDC\u302A-\u302F]/u;
const NOTHING = /^[\p{M}\p{Cf}]/u;
const ASCII = /^[\x20-\x7e]*$/;

/** In columns: 2 for most of Chinese, Japanese, Korean and emoji, 0 for marks without a letter. Without control characters. */
export function displayWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += graphemeWidth(segment);
  return width;
}

function graphemeWidth(grapheme: string): number {
  if (NOTHING.test(grapheme)) return 0;
  return WIDE.test(grapheme) && !HALF.test(grapheme) ? 2 : 1;
}

/** At most `width` columns of it, the last one `…` where something is left out. */
export function cutTo(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let [kept, used] = ['', 0];
  for (const { segment } of graphemes.segment(text)) {
    const more = graphemeWidth(segment);
    if (used + more > width - 1) break;
    kept += segment;
    used += more;
  }
  return `${kept}…`;
}
