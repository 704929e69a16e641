import Testing
import XMLBodies

@Suite("Typed documents")
struct DocumentTests {
    /// Prints a document and reads it back.
    static func comesBack<Document: XMLDocument>(_ document: Document) throws {
        #expect(try Document(parsing: document.bytes) == document)
    }

    @Test("a notification of every kind comes back", arguments: ["delivered", "failed", "forbidden", "error", "odd"])
    func imdn(_ status: String) throws {
        let status = IMDNDocument.Status(rawValue: status)
        for notification in [IMDNDocument.Notification.delivery(status), .display(status), .processing(status)] {
            try Self.comesBack(
                IMDNDocument(
                    messageID: "m<1>",
                    dateTime: "2026-03-01T10:00:00Z",
                    recipientURI: "sip:a@example.com",
                    originalRecipientURI: "sip:b@example.com",
                    subject: "A & B",
                    notification: notification,
                    extensions: [BodyElement(XMLName("x", in: "urn:x"), text: "1")]
                )
            )
        }
    }

    @Test("a composition status comes back, and an unknown state counts as idle")
    func isComposing() throws {
        try Self.comesBack(IsComposingDocument(state: .active, composedType: "text/plain", refreshSeconds: 90))
        try Self.comesBack(IsComposingDocument(state: .idle, lastActive: "2026-03-01T10:00:00Z"))
        let odd = "<isComposing xmlns='urn:ietf:params:xml:ns:im-iscomposing'><state>pondering</state></isComposing>"
        #expect(try IsComposingDocument(parsing: Array(odd.utf8)).state == .idle)
    }

    @Test("registrations come back with GRUUs and feature tags")
    func registrations() throws {
        var contact = RegistrationInfo.Contact(id: "1", isActive: true, event: .refreshed, uri: "sip:a@192.0.2.1")
        contact.displayName = "Laptop <1>"
        contact.expires = 3000
        contact.durationRegistered = 12
        contact.q = "0.8"
        contact.callID = "c@h"
        contact.cseq = 7
        contact.parameters = [.init(name: "+sip.instance", value: "\"<urn:uuid:1>\""), .init(name: "audio", value: "")]
        contact.publicGRUU = "sip:a@example.com;gr=urn:uuid:1"
        contact.temporaryGRUU = .init(uri: "sip:t@example.com;gr", firstCSeq: 7)
        contact.extensions = [BodyElement(XMLName("x", in: "urn:x"))]
        let gone = RegistrationInfo.Contact(id: "2", isActive: false, event: .expired, uri: "sip:b@192.0.2.1")
        let registration = RegistrationInfo.Registration(
            addressOfRecord: "sip:a@example.com",
            id: "r",
            state: .active,
            contacts: [contact, gone]
        )
        let document = RegistrationInfo(version: .max, state: .partial, registrations: [registration])
        try Self.comesBack(document)
        #expect(document.text.contains("xmlns:gr=\"urn:ietf:params:xml:ns:gruuinfo\""))
    }

    @Test("dialogs come back with both ends")
    func dialogs() throws {
        var dialog = DialogInfo.Dialog(id: "d1", state: .terminated)
        dialog.callID = "c"
        dialog.localTag = "l"
        dialog.remoteTag = "r"
        dialog.direction = "recipient"
        dialog.event = "remote-bye"
        dialog.code = 200
        dialog.duration = 17
        dialog.replaces = .init(callID: "c0", localTag: "l0", remoteTag: "r0")
        dialog.referredBy = "sip:c@example.com"
        var local = DialogInfo.Participant(identity: "sip:a@example.com", target: "sip:a@192.0.2.1")
        local.identityDisplay = "A"
        local.targetParameters = [.init(name: "+sip.rendering", value: "no")]
        local.sessionDescriptionType = "application/sdp"
        local.sessionDescription = "v=0\no=- 1 1 IN IP4 192.0.2.1\n"
        local.cseq = 3
        dialog.local = local
        dialog.remote = DialogInfo.Participant(identity: "sip:b@example.com")
        dialog.extensions = [BodyElement(XMLName("conversation", in: "urn:x"), text: "1")]
        try Self.comesBack(
            DialogInfo(version: 1, state: .full, entity: "sip:a@example.com", dialogs: [dialog])
        )
        let old = "<dialog-info xmlns='urn:ietf:params:xml:ns:dialog-info' version='1' notify-state='full'/>"
        #expect(try DialogInfo(parsing: Array(old.utf8)).state == .full)
    }

    @Test("lists come back with copy control and lists inside")
    func lists() throws {
        let entries: [ResourceLists.Entry] = [
            .init(uri: "sip:a@example.com", displayName: "A", copyControl: .to),
            .init(uri: "sip:b@example.com", copyControl: .cc, isAnonymized: true, count: 2),
            .init(uri: "sip:c@example.com", copyControl: .bcc),
        ]
        let inner = ResourceLists.List(name: "inner", displayName: "Inner", items: [.entry(entries[2])])
        let list = ResourceLists.List(
            name: "outer",
            items: [
                .entry(entries[0]), .list(inner), .entryReference("a/b"), .external(anchor: "http://example.com/l"),
                .other(BodyElement(XMLName("x", in: "urn:x"))), .entry(entries[1]),
            ]
        )
        let document = ResourceLists(lists: [list])
        try Self.comesBack(document)
        #expect(document.entries.map(\.uri) == ["sip:a@example.com", "sip:c@example.com", "sip:b@example.com"])
        try Self.comesBack(ResourceLists(recipients: entries))
    }

    @Test("a conference comes back with users, endpoints, media and sidebars")
    func conference() throws {
        var endpoint = ConferenceInfo.Endpoint(entity: "sip:b@192.0.2.1", status: "connected")
        endpoint.displayText = "Laptop"
        endpoint.referred = .init(when: "2026-03-01T10:00:00Z", reason: "why", by: "sip:m@example.com")
        endpoint.joiningMethod = "dialed-in"
        endpoint.joining = .init(when: "2026-03-01T10:00:00Z")
        endpoint.disconnectionMethod = "booted"
        endpoint.disconnection = .init(reason: "noise")
        var medium = ConferenceInfo.Medium(id: "1", type: "audio", status: "sendrecv")
        medium.label = "m"
        medium.sourceID = "99"
        medium.displayText = "main"
        endpoint.media = [medium]
        endpoint.dialog = .init(callID: "c", localTag: "f", remoteTag: "t")
        var user = ConferenceInfo.User(entity: "sip:b@example.com", displayText: "Bob", endpoints: [endpoint])
        user.associatedAddresses = [.init(uri: "mailto:b@example.com", displayText: "mail", purpose: "p")]
        user.roles = ["participant", "chair"]
        user.languages = "en"
        var document = ConferenceInfo(entity: "sip:conf@example.com", state: .partial, version: 4_294_967_295)
        var description = ConferenceInfo.Description()
        description.displayText = "d"
        description.subject = "s"
        description.freeText = "f"
        description.keywords = "k"
        description.conferenceURIs = [.init(uri: "tel:+1", purpose: "participation")]
        description.serviceURIs = [.init(uri: "http://example.com/")]
        description.maximumUserCount = 10
        description.availableMedia = [.init(label: "l", displayText: "x", type: "audio", status: "sendrecv")]
        document.description = description
        var host = ConferenceInfo.Host()
        host.displayText = "h"
        host.webPage = "http://example.com/h"
        host.uris = [.init(uri: "sip:h@example.com")]
        document.host = host
        document.status = .init(userCount: 1, isActive: true, isLocked: false)
        document.users = .init(state: .partial, users: [user, .init(entity: "sip:x@example.com", state: .deleted)])
        document.sidebarReferences = [.init(uri: "sip:side@example.com")]
        var sidebar = ConferenceInfo(entity: "sip:side@example.com", state: .full, version: nil)
        sidebar.users = .init(users: [.init(entity: "sip:y@example.com")])
        document.sidebars = [sidebar]
        document.extensions = [BodyElement(XMLName("x", in: "urn:x"))]
        try Self.comesBack(document)
        #expect(
            document.allUsers.map(\.entity) == ["sip:b@example.com", "sip:x@example.com", "sip:y@example.com"]
        )
    }

    @Test("a file over HTTP comes back with its thumbnail")
    func files() throws {
        var file = FileTransferInfo.File(
            kind: .file,
            size: 82_931,
            contentType: "image/jpeg",
            url: "https://ft.example.com/1?a=b&c=d",
            until: "2026-04-01T00:00:00Z"
        )
        file.disposition = "attach"
        file.name = "beach.jpg"
        file.playingLength = 35
        let small = FileTransferInfo.File(kind: .thumbnail, size: 1, contentType: "image/png", url: "https://t.example")
        let document = FileTransferInfo(files: [small, file])
        try Self.comesBack(document)
        #expect(document.file == file)
        #expect(document.thumbnail == small)
        try Self.comesBack(FileResumeInfo(start: 0, end: 9, url: "https://ft.example.com/1"))
    }

    @Test("what is mandatory is asked for")
    func mandatory() {
        func refuses<Document: XMLDocument>(_ type: Document.Type, _ text: String, _ code: XMLError.Code) {
            #expect(throws: XMLError(code, ""), "\(text)") { try Document(parsing: Array(text.utf8)) }
        }
        refuses(IMDNDocument.self, "<isComposing/>", .unexpectedRoot)
        refuses(IMDNDocument.self, "<imdn><message-id> </message-id></imdn>", .missingElement)
        refuses(
            IMDNDocument.self,
            "<imdn><message-id>1</message-id><delivery-notification/></imdn>",
            .missingElement
        )
        refuses(RegistrationInfo.self, "<reginfo state='full'/>", .missingAttribute)
        refuses(RegistrationInfo.self, "<reginfo state='half' version='0'/>", .invalidValue)
        refuses(RegistrationInfo.self, "<reginfo state='full' version='-1'/>", .invalidValue)
        refuses(DialogInfo.self, "<dialog-info version='1' state='full'><dialog/></dialog-info>", .missingAttribute)
        refuses(ResourceLists.self, "<resource-lists><list><entry/></list></resource-lists>", .missingAttribute)
        refuses(ConferenceInfo.self, "<conference-info state='partial' entity='e'/>", .missingAttribute)
        refuses(FileTransferInfo.self, "<file/>", .missingElement)
        refuses(
            FileResumeInfo.self,
            "<file-resume-info><file-range start='2' end='1'/><data url='u'/></file-resume-info>",
            .invalidValue
        )
    }
}
