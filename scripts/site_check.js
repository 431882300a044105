// SPDX-License-Identifier: MIT OR Apache-2.0
// What scripts/site_check.py asks of a page that a browser shows: `look`, `contrast` and
// `hasSidebar`.

// WCAG 2.2, success criterion 1.4.3: contrast, and from which size in px a text is large.
const CONTRAST = 4.5;
const CONTRAST_OF_LARGE = 3;
const LARGE = 24;
const LARGE_AND_BOLD = 18.66;

// What may scroll inside itself where the screen is narrow.
const BLOCKS = "pre, pre code, .table-wrapper, .checkbox-label";

/** A short name of an element, with the begin of its text. */
function nameOf(element) {
  const classes = [...element.classList].map((name) => `.${name}`).join("");
  const text = element.textContent.trim().replace(/\s+/g, " ").slice(0, 50);
  return `${element.localName}${classes} "${text}"`;
}

/** [red, green, blue, alpha] of a computed style. */
function parseColor(text) {
  const parts = /^rgba?\(([^)]*)\)$/.exec(text);
  if (!parts) throw new Error(`a color in another form: ${text}`);
  const [red, green, blue, alpha = 1] = parts[1].split(/[\s,/]+/).map(Number);
  return [red, green, blue, alpha];
}

/** A color in front of an opaque one. */
function blend(front, back) {
  const alpha = front[3];
  return [0, 1, 2].map((i) => front[i] * alpha + back[i] * (1 - alpha)).concat(1);
}

function luminance(color) {
  const [red, green, blue] = color.slice(0, 3).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function ratio(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

/** What is seen behind the text of an element. */
function backgroundOf(element) {
  const layers = [];
  for (let here = element; here; here = here.parentElement) {
    const color = parseColor(getComputedStyle(here).backgroundColor);
    layers.push(color);
    if (color[3] === 1) break;
  }
  return layers.reduceRight((back, front) => blend(front, back), [255, 255, 255, 1]);
}

function opacityOf(element) {
  let opacity = 1;
  for (let here = element; here; here = here.parentElement) {
    opacity *= Number(getComputedStyle(here).opacity);
  }
  return opacity;
}

/** Whether the element is on the page, and not outside of it as a closed sidebar is. */
function isVisible(element) {
  const box = element.getBoundingClientRect();
  const isThere = element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  return isThere && box.width > 0 && box.right > 0 && box.left < innerWidth;
}

/** The elements that have a text of their own. */
function elementsWithText() {
  const found = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    if (texts.currentNode.data.trim()) found.add(texts.currentNode.parentElement);
  }
  return [...found].filter(isVisible);
}

function judge(element, style, problems) {
  const color = parseColor(style.color);
  const back = backgroundOf(element);
  color[3] *= opacityOf(element);
  const size = parseFloat(style.fontSize);
  const isBold = Number(style.fontWeight) >= 700;
  const isLarge = size >= LARGE || (isBold && size >= LARGE_AND_BOLD);
  const found = ratio(blend(color, back), back);
  if (found < (isLarge ? CONTRAST_OF_LARGE : CONTRAST)) {
    problems.push(`contrast of ${found.toFixed(2)}: ${nameOf(element)}`);
  }
}

/** Texts that are hard to tell from what is behind them. */
function contrast() {
  const problems = [];
  for (const element of elementsWithText()) judge(element, getComputedStyle(element), problems);
  for (const element of document.querySelectorAll("input[placeholder]")) {
    if (isVisible(element)) judge(element, getComputedStyle(element, "::placeholder"), problems);
  }
  return problems;
}

/** What is wider than its place: it scrolls sideways or is cut off. */
function overflow(isPhone) {
  const problems = [];
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) problems.push(`the page is ${root.scrollWidth} px wide`);
  for (const element of document.body.querySelectorAll("*")) {
    // That of an inline element is 0.
    const place = element.clientWidth;
    if (place === 0 || element.scrollWidth <= place || !isVisible(element)) continue;
    if (getComputedStyle(element).overflowX === "visible") continue;
    if (isPhone && element.matches(BLOCKS)) continue;
    problems.push(`${element.scrollWidth} px in ${place} px: ${nameOf(element)}`);
  }
  return problems;
}

function pictures() {
  const problems = [];
  for (const picture of document.images) {
    if (!picture.complete || picture.naturalWidth === 0) problems.push(`not shown: ${picture.src}`);
    if (!picture.alt.trim()) problems.push(`no text in its place: ${picture.src}`);
  }
  return problems;
}

/** A comment before a document's heading must not become its title. */
function titles() {
  const heading = document.querySelector("main h1");
  const problems = [];
  if (!heading) problems.push("no heading");
  if (!/^[^<>]+ - /.test(document.title)) problems.push(`the title is ${document.title}`);
  return problems;
}

function hasSidebar() {
  return isVisible(document.querySelector("#mdbook-sidebar .chapter"));
}

function look(isPhone) {
  return {
    problems: {
      contrast: contrast(),
      overflow: overflow(isPhone),
      pictures: pictures(),
      titles: titles(),
    },
    links: [...new Set([...document.links].map((link) => link.href))],
    ids: [...document.querySelectorAll("[id]")].map((element) => element.id),
  };
}
