import ClientWire
import FoundationEssentials
import HTTPTypes
import Hummingbird
public import MessagingCore
import NIOCore
public import WebFiles

/// Serves the web client: pages, and the files they load.
///
/// Every device of a browser has a path of its own, `/d/NAME/`: its service worker's scope, and the name of its storage.
/// The demo's devices live below `/demo/`, the only place whose pages may stand in frames.
public struct WebPages: Sendable {
    /// What the demo page shows: devices that log in by themselves.
    public struct Demo: Sendable, Codable {
        /// One frame of the demo.
        public struct Device: Sendable, Codable {
            public var name: String
            public var label: String
            public var kind: DeviceKind
            public var address: Address

            /// A device with its place, its label and whose it is.
            public init(name: String, label: String, kind: DeviceKind, address: Address) {
                self.name = name
                self.label = label
                self.kind = kind
                self.address = address
            }
        }

        public var devices: [Device]
        public var password: String

        /// The devices of people who all have one password.
        public init(devices: [Device], password: String) {
            self.devices = devices
            self.password = password
        }
    }

    private let files: WebFiles
    private let demo: Demo?
    private let front: String
    private let hasDevices: Bool

    /// The client's pages.
    /// - Parameter demo: nil for a server that has no demo.
    public init(files: WebFiles = .embedded, demo: Demo? = nil) {
        self.files = files
        self.demo = demo
        front = "index.html"
        hasDevices = true
    }

    /// The operator's page, for the operator's door.
    public init(operatorPageIn files: WebFiles) {
        self.files = files
        demo = nil
        front = "operator/index.html"
        hasDevices = false
    }

    /// The operator's page out of the same files.
    public var forOperators: WebPages { WebPages(operatorPageIn: files) }

    /// A device's name in a path: short, and nothing that means anything in one.
    static let deviceNameBytes = 40

    private enum Page {
        case file(String, isFramed: Bool)
        case demoConfiguration
        /// The same place with a slash at its end, where relative paths begin.
        case moved(String)
    }

    /// The answer for a path that is a page's; nil when it is none of ours.
    func response(_ request: Request, path: Substring) throws -> Response? {
        guard request.method == .get || request.method == .head, let page = page(path) else { return nil }
        switch page {
        case .moved(let place):
            return Response(status: .permanentRedirect, headers: [.location: place])
        case .demoConfiguration:
            return try demo.map { try .json($0) }
        case .file(let name, let isFramed):
            guard let file = files.file(name) else { return nil }
            return response(request, file, isFramed: isFramed)
        }
    }

    private func page(_ path: Substring) -> Page? {
        switch path {
        case "/": return .file(front, isFramed: false)
        case "/demo" where demo != nil: return .moved("/demo/")
        case "/demo/" where demo != nil: return .file("demo.html", isFramed: false)
        case "/demo/devices.json" where demo != nil: return .demoConfiguration
        default: break
        }
        if path.hasPrefix("/web/") { return .file(String(path.dropFirst(5)), isFramed: false) }
        if hasDevices, path.hasPrefix("/d/") { return devicePage(path.dropFirst(3), isFramed: false, path) }
        if demo != nil, path.hasPrefix("/demo/d/") { return devicePage(path.dropFirst(8), isFramed: true, path) }
        return nil
    }

    private func devicePage(_ rest: Substring, isFramed: Bool, _ path: Substring) -> Page? {
        let pieces = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = pieces.first, (1...Self.deviceNameBytes).contains(name.utf8.count),
            name.utf8.allSatisfy({ byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "-")
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            })
        else { return nil }
        switch pieces.count == 2 ? pieces[1] : nil {
        case nil: return .moved(path + "/")
        case "": return .file("index.html", isFramed: isFramed)
        case "worker.js": return .file("worker.js", isFramed: false)
        default: return nil
        }
    }

    private func response(_ request: Request, _ file: WebFile, isFramed: Bool) -> Response {
        let compressed = AcceptEncoding(request.headers[.acceptEncoding]).gzip ? file.gzip : nil
        let tag = compressed == nil ? file.tag : file.gzipTag
        var fields: HTTPFields = [
            .contentType: file.type,
            .eTag: tag,
            .vary: "accept-encoding",
            // Asked for again each time, and answered with 304: a new server's pages never meet old scripts.
            .cacheControl: "no-cache",
        ]
        if file.type.hasPrefix("text/html") {
            fields[.contentSecurityPolicy] = Self.policy(isFramed: isFramed)
            fields[.permissionsPolicy] = "camera=(self), microphone=(self), geolocation=()"
            fields[.crossOriginOpenerPolicy] = "same-origin"
        }
        let known = request.headers[.ifNoneMatch]?.split(separator: ",").map { $0.trimmingPrefix(" ") } ?? []
        if known.contains(where: { $0 == tag }) { return Response(status: .notModified, headers: fields) }
        if compressed != nil { fields[.contentEncoding] = "gzip" }
        let bytes = compressed ?? file.bytes
        return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// Nothing from elsewhere, nothing inline; pictures and films also from memory.
    private static func policy(isFramed: Bool) -> String {
        """
        default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; \
        connect-src 'self'; font-src 'self'; worker-src 'self'; manifest-src 'self'; frame-src 'self'; \
        form-action 'self'; base-uri 'none'; frame-ancestors \(isFramed ? "'self'" : "'none'")
        """
    }
}
