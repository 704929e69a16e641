/// How much of an interrupted upload the server has (RCS file transfer over HTTP).
public struct FileResumeInfo: XMLDocument {
    /// The media type.
    public static let contentType = "application/vnd.gsma.rcs-ft-http+xml"
    /// The root element.
    public static let rootName = XMLName("file-resume-info", in: "urn:gsma:params:xml:ns:rcs:rcs:fthttpresume")

    /// The first octet that the server has, counted from 0.
    public var start: UInt64
    /// The last octet that the server has.
    public var end: UInt64
    /// Where to send the rest.
    public var url: String

    /// Makes a document.
    public init(start: UInt64, end: UInt64, url: String) {
        self.start = start
        self.end = end
        self.url = url
    }

    /// Reads a document.
    ///
    /// - Throws: ``XMLError`` when the range or the URL is absent, or the range ends before it begins.
    public init(element: BodyElement) throws(XMLError) {
        guard let range = element.first("file-range"), let data = element.first("data") else {
            throw XMLError(.missingElement, "<file-range> and <data> in <file-resume-info>")
        }
        guard let start = try range.numberAttribute("start"), let end = try range.numberAttribute("end"), start <= end
        else { throw XMLError(.invalidValue, "start and end of <file-range> in order") }
        self.init(start: start, end: end, url: try data.requiredAttribute("url"))
    }

    /// The root element.
    public var element: BodyElement {
        var root = BodyElement(Self.rootName)
        var range = BodyElement(XMLName("file-range", in: root.name.namespace))
        range.set("start", String(self.start))
        range.set("end", String(self.end))
        root.append(range)
        var data = BodyElement(XMLName("data", in: root.name.namespace))
        data.set("url", self.url)
        root.append(data)
        return root
    }
}
