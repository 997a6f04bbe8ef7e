// `/sdk/v1/codemirror.js`: a file in a CodeMirror, with the CodeMirror it is for. Two copies of CodeMirror do not know each
// other's parts, so a page takes what it needs of it from here.

export * from '@codemirror/state'
export * from '@codemirror/view'
export { defaultKeymap, indentWithTab } from '@codemirror/commands'
export * from '../src/codemirror/index.ts'
