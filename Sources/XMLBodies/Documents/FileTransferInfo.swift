/// A file kept at a server and fetched over HTTP, `application/vnd.gsma.rcs-ft-http+xml` (RCS file transfer over HTTP).
public struct FileTransferInfo: XMLDocument {
    /// What a file of the document is for.
    public enum Kind: String, Sendable, Hashable {
        /// The file itself.
        case file
        /// A small picture of it.
        case thumbnail
    }

    /// One file.
    public struct File: Sendable, Equatable {
        /// What it is for.
        public var kind: Kind
        /// How to show it: `attach` or `render`.
        public var disposition: String?
        /// Its size in octets.
        public var size: UInt64
        /// Its name.
        public var name: String?
        /// Its media type.
        public var contentType: String
        /// Where to fetch it.
        public var url: String
        /// When the URL ends, as RFC 3339 text.
        public var until: String?
        /// How long audio plays, in the unit of the audio extension.
        public var playingLength: UInt64?
        /// Elements of other kinds, carried untouched.
        public var extensions: [BodyElement]

        /// Makes a file; what is optional is set afterwards.
        public init(kind: Kind, size: UInt64, contentType: String, url: String, until: String? = nil) {
            self.kind = kind
            self.size = size
            self.contentType = contentType
            self.url = url
            self.until = until
            self.extensions = []
        }
    }

    /// The media type.
    public static let contentType = "application/vnd.gsma.rcs-ft-http+xml"
    /// The root element.
    public static let rootName = XMLName("file", in: "urn:gsma:params:xml:ns:rcs:rcs:fthttp")
    /// `am` for the audio extension.
    public static let prefixes = [audioNamespace: "am"]

    static let audioNamespace = "urn:gsma:params:xml:ns:rcs:rcs:rram"

    /// The file and its thumbnail, in document order.
    public var files: [File]

    /// Makes a document.
    public init(files: [File]) { self.files = files }

    /// The file itself.
    public var file: File? { self.files.first { $0.kind == .file } }
    /// Its thumbnail.
    public var thumbnail: File? { self.files.first { $0.kind == .thumbnail } }

    /// Reads a document.
    ///
    /// - Throws: ``XMLError`` when there is no file, or a file lacks its type, size, media type or URL.
    public init(element: BodyElement) throws(XMLError) {
        self.files = []
        for child in element.all("file-info") { self.files.append(try File(element: child)) }
        guard self.file != nil else { throw XMLError(.missingElement, "<file-info type=\"file\">") }
    }

    /// The root element.
    public var element: BodyElement {
        var root = BodyElement(Self.rootName)
        root.append(self.files.map(\.element))
        return root
    }
}

extension FileTransferInfo.File {
    init(element: BodyElement) throws(XMLError) {
        guard let kind = FileTransferInfo.Kind(rawValue: try element.requiredAttribute("type")) else {
            throw XMLError(.invalidValue, "file or thumbnail in type of <file-info>")
        }
        guard let size = try element.requiredToken("file-size").unsignedInteger else {
            throw XMLError(.invalidValue, "a number in <file-size>")
        }
        guard let data = element.first("data") else { throw XMLError(.missingElement, "<data> in <file-info>") }
        self.init(
            kind: kind,
            size: size,
            contentType: try element.requiredToken("content-type"),
            url: try data.requiredAttribute("url"),
            until: data.attribute("until")
        )
        self.disposition = element.attribute("file-disposition")
        self.name = element.tokenOfFirst("file-name")
        let audio = FileTransferInfo.audioNamespace
        self.playingLength = element.first("playing-length", in: audio)?.token.unsignedInteger
        self.extensions = element.elements(except: ["file-size", "file-name", "content-type", "data"]).filter {
            $0.name != XMLName("playing-length", in: audio)
        }
    }

    var element: BodyElement {
        let namespace = FileTransferInfo.rootName.namespace
        var element = BodyElement(XMLName("file-info", in: namespace))
        element.set("type", self.kind.rawValue)
        element.set("file-disposition", self.disposition)
        element.append("file-size", text: String(self.size))
        element.append("file-name", text: self.name)
        element.append("content-type", text: self.contentType)
        if let length = self.playingLength {
            let name = XMLName("playing-length", in: FileTransferInfo.audioNamespace)
            element.append(BodyElement(name, text: String(length)))
        }
        var data = BodyElement(XMLName("data", in: namespace))
        data.set("url", self.url)
        data.set("until", self.until)
        element.append(data)
        element.append(self.extensions)
        return element
    }
}
