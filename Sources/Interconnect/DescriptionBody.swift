import CPIM
import NIOCore
import SDP
import SIP

extension SIPMessage {
    /// The octets of a session's description in the body: all of it, or a part beside others, as beside the icon of a file or
    /// a caller's picture (RFC 5621, section 3). Empty without a body; a body that holds none stands for itself, and is refused
    /// where it is read.
    var descriptionOctets: [UInt8] {
        let bytes = Array(body.readableBytesView)
        guard let type = text(.contentType), type.lowercased().hasPrefix("multipart/") else { return bytes }
        let parts = (try? Multipart(MIMEEntity(contentType: type, body: bytes)))?.parts ?? []
        let part = parts.first { $0.effectiveMediaType.essence.lowercased() == "application/sdp" }
        return part.map { Array($0.body) } ?? bytes
    }

    /// The same, read; nil when it is none.
    var offer: SessionDescription? { try? SessionDescription(parsing: descriptionOctets) }
}
