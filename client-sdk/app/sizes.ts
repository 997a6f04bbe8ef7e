// Sizes as people read them.

const UNITS = ['kilobyte', 'megabyte', 'gigabyte', 'terabyte']

/** A number of bytes in the unit that makes it a short number. */
export function sizeOf(bytes: number): string {
  const kilobytes = bytes / 1024
  const step = kilobytes < 1 ? 0 : Math.min(Math.floor(Math.log2(kilobytes) / 10), UNITS.length - 1)
  const format = new Intl.NumberFormat(undefined, { style: 'unit', unit: UNITS[step]!, maximumFractionDigits: 1 })
  return format.format(kilobytes / 1024 ** step)
}
