/** The little XML that S3 speaks. Invariant: what toXml() writes, any XML parser reads back. */

function toXml(text: string): string {
  return text.replace(/[&<>"'\r\n]/g, (c) => `&#${c.codePointAt(0)};`);
}

export function element(name: string, content: string | number | string[]): string {
  const inner = Array.isArray(content) ? content.join('') : toXml(String(content));
  return `<${name}>${inner}</${name}>`;
}

export function documentOf(name: string, children: string[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${children.join('')}</${name}>`;
}

export function errorDocument(code: string, message: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${element('Code', code)}${element('Message', message)}${element('RequestId', 'TESTREQUEST')}</Error>`;
}

/** The texts of all elements of that name, in order. */
export function textsOf(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map((match) => fromXml(match[1]));
}

/** The inner XML of all elements of that name. */
export function blocksOf(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'gs'))].map((match) => match[1]);
}

function fromXml(text: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(#x?[0-9a-fA-F]+|\w+);/g, (_, name: string) => {
    if (name.startsWith('#x')) return String.fromCodePoint(Number.parseInt(name.slice(2), 16));
    if (name.startsWith('#')) return String.fromCodePoint(Number(name.slice(1)));
    return named[name] ?? '';
  });
}
