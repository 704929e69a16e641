import MessagingCore
import XMLBodies

/// A file that another provider keeps, as RCS describes it (`application/vnd.gsma.rcs-ft-http+xml`): a text with the link.
///
/// It is not fetched here: whoever writes such a document would choose what this host asks for, and when. The person sees
/// where the link leads, and decides.
enum FileLink {
    static let longestURL = 2048
    private static let scheme = "https://"

    /// What stands in its place.
    /// - Throws: ``Refusal`` `invalid-message` when it is no such document, or leads anywhere but to HTTPS.
    static func part(_ bytes: [UInt8]) throws(Refusal) -> Part {
        guard let file = (try? FileTransferInfo(parsing: bytes))?.file else {
            throw Refusal(.invalidMessage, "a description of a file that cannot be read")
        }
        guard file.url.lowercased().hasPrefix(scheme), file.url.utf8.count <= longestURL,
            file.url.utf8.dropFirst(scheme.utf8.count).first.map({ $0 != UInt8(ascii: "/") }) ?? false,
            file.url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") })
        else { throw Refusal(.invalidMessage, "a link to a file has to be one of HTTPS") }
        let name = file.name.flatMap { (try? Envelope.validate(fileName: $0)) != nil ? $0 : nil } ?? file.contentType
        return Part(type: "text/plain", text: "\(name) (\(file.size) bytes)\n\(file.url)")
    }
}
