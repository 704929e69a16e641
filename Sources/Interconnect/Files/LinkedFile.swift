import CPIM
import MessagingCore
import MessagingService
import XMLBodies

/// A file that a provider keeps and describes with its link, as RCS has it (`application/vnd.gsma.rcs-ft-http+xml`).
///
/// What another one keeps is not fetched here: whoever writes such a document would choose what this host asks for, and
/// when. The person sees where the link leads, and decides.
enum LinkedFile {
    static let longestURL = 2048
    private static let scheme = "https://"

    /// What goes out in the place of a file of ours.
    static func description(of part: Part, _ link: FileLink) -> Part {
        var file = FileTransferInfo.File(
            kind: .file,
            size: UInt64(max(0, part.bytes)),
            contentType: part.type,
            url: link.url,
            until: MessageMapping.timestamp(link.until).text
        )
        file.name = part.name
        let document = String(decoding: FileTransferInfo(files: [file]).bytes, as: UTF8.self)
        return Part(type: FileTransferInfo.contentType, text: document)
    }

    /// What stands in the place of one of theirs.
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
