/* The theme searches in a worker. Browsers allow none to pages that are opened as files, so there a hidden frame takes
   its place. (mkdocs looks for this file's name before it would fetch another one from elsewhere.) */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      frame.title = "search"
      document.body.append(frame)
      const inner = frame.contentWindow
      inner.postMessage = data => {
        const event = new MessageEvent("message", { data })
        this.dispatchEvent(event)
        if (this.onmessage) this.onmessage(event)
      }
      this.loaded = new Promise((done, failed) => {
        const script = inner.document.createElement("script")
        script.src = new URL(url, location.href)
        script.onload = done
        script.onerror = failed
        inner.document.head.append(script)
      })
      this.frame = frame
    }

    postMessage(data) {
      this.loaded.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })))
    }

    terminate() {
      this.frame.remove()
    }
  }
}
