package import SIP

/// CPM's services, as they are called in feature tags.
package enum CPMService: String, CaseIterable {
    case pager = "oma.cpm.msg"
    case large = "oma.cpm.largemsg"
    case session = "oma.cpm.session"
    case file = "oma.cpm.filetransfer"

    /// As it stands in feature tags (RFC 3840).
    package var tag: String { "+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.\(rawValue)\"" }

    /// All of them in one tag.
    package static var allTags: String {
        let names = allCases.map { "urn%3Aurn-7%3A3gpp-service.ims.icsi.\($0.rawValue)" }
        return "+g.3gpp.icsi-ref=\"\(names.joined(separator: ","))\""
    }

    /// Whether a request is for this service, as the network asserts it, its sender wishes it, or its device has it.
    package func isNamed(in request: SIPMessage) -> Bool {
        let names = request.texts("P-Asserted-Service") + request.texts("P-Preferred-Service")
        if names.contains(where: { $0.hasSuffix(".\(rawValue)") }) { return true }
        // A tag may be one of several in one string.
        return (request.texts(.acceptContact) + request.texts(.contact)).contains { text in
            text.split(whereSeparator: { "\",;".contains($0) }).contains { $0.hasSuffix(".\(rawValue)") }
        }
    }

    /// What belongs together (RCC.07, section 2.4).
    package static let conversation: HeaderName = "Conversation-ID"
    package static let contribution: HeaderName = "Contribution-ID"
    package static let inReplyTo: HeaderName = "InReplyTo-Contribution-ID"

    /// Says that a request is for this service.
    package func mark(_ request: inout SIPMessage) {
        request.append("P-Asserted-Service", "urn:urn-7:3gpp-service.ims.icsi.\(rawValue)")
        request.append(.acceptContact, "*;\(tag)")
    }
}
