// `/sdk/v1/yjs.js`: the Yjs that the served package uses, for pages that bind documents to something of their own. Two copies
// of Yjs do not know each other's types.

export * from 'yjs'
