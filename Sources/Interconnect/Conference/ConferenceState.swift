import MessagingCore
import SDP
import SessionCore
import XMLBodies

/// What a participant may know of a conversation of several users: who is in it, and with which media. Nobody's devices.
struct ConferenceState: Sendable, Hashable {
    let users: [Address]
    let media: [Medium]

    /// The document, always of the full state (RFC 4575, section 4).
    func document(of conference: String, _ version: UInt64) -> [UInt8] {
        var info = ConferenceInfo(entity: conference, state: .full, version: version)
        info.status = ConferenceInfo.Status(userCount: UInt64(users.count), isActive: true)
        info.users = ConferenceInfo.Users(users: users.sorted().map(user))
        return info.bytes
    }

    private func user(_ address: Address) -> ConferenceInfo.User {
        let texts = ConferenceInfo.Medium(id: "texts", type: "message", status: "sendrecv")
        let others = media.filter { PeerMedia.carries($0.kind) && $0.placements[address] != nil }.map { medium in
            ConferenceInfo.Medium(
                id: "\(medium.id.rawValue)",
                type: medium.kind.rawValue,
                status: MediaLine.wish(medium, of: address).rawValue
            )
        }
        // Whoever takes part does so at one place, as far as others are concerned.
        let endpoint = ConferenceInfo.Endpoint(
            entity: address.description,
            status: "connected",
            media: [texts] + others
        )
        return ConferenceInfo.User(entity: address.description, endpoints: [endpoint])
    }
}
