/// What has to be kept of a confirmed dialog, so that it can go on after a restart.
public struct KeptDialog: Sendable, Hashable, Codable {
    /// Call-ID and tags are in the two addresses and this.
    public let callID: String
    let local: String
    let remote: String
    let remoteTarget: String
    let routeSet: [String]
    let isSecure: Bool
    let isInitiator: Bool
    let localNumber: UInt32
    let remoteNumber: UInt32?

    /// So many numbers of CSeq are left out when a dialog goes on: it may have sent requests after it was kept, and
    /// numbers only have to rise (RFC 3261 section 12.2.1.1).
    public static let skippedNumbers: UInt32 = 1000

    /// What has to be kept of a dialog as it is now.
    public init(_ dialog: Dialog) {
        self.callID = dialog.id.callID
        self.local = dialog.local.description
        self.remote = dialog.remote.description
        self.remoteTarget = dialog.remoteTarget.description
        self.routeSet = dialog.routeSet.map(\.description)
        self.isSecure = dialog.isSecure
        self.isInitiator = dialog.isInitiator
        self.localNumber = dialog.localNumber
        self.remoteNumber = dialog.remoteNumber
    }
}

extension Dialog {
    /// A dialog that goes on.
    ///
    /// - Throws: What the addresses throw.
    public init(_ kept: KeptDialog) throws(SIPError) {
        let local = try NameAddress(kept.local)
        let remote = try NameAddress(kept.remote)
        var routes: [NameAddress] = []
        for route in kept.routeSet { routes.append(try NameAddress(route)) }
        self.init(
            id: DialogID(callID: kept.callID, localTag: local.tag ?? "", remoteTag: remote.tag ?? ""),
            local: local,
            remote: remote,
            remoteTarget: try URI(kept.remoteTarget),
            routeSet: routes,
            isSecure: kept.isSecure,
            isInitiator: kept.isInitiator,
            localNumber: kept.localNumber &+ KeptDialog.skippedNumbers,
            remoteNumber: kept.remoteNumber
        )
    }
}
