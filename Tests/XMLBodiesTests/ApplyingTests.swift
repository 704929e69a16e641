import Testing
import XMLBodies

@Suite("Applying documents")
struct ApplyingTests {
    // MARK: - Registrations

    static func contact(_ id: String, active: Bool = true) -> RegistrationInfo.Contact {
        RegistrationInfo.Contact(
            id: id,
            isActive: active,
            event: active ? .registered : .expired,
            uri: "sip:\(id)@192.0.2.1"
        )
    }

    static func registration(
        _ id: String,
        _ state: RegistrationInfo.Registration.State = .active,
        _ contacts: RegistrationInfo.Contact...
    ) -> RegistrationInfo.Registration {
        .init(addressOfRecord: "sip:\(id)@example.com", id: id, state: state, contacts: contacts)
    }

    @Test("registrations: changed, added, terminated")
    func registrations() {
        var known = RegistrationInfo(version: 0, state: .full, registrations: [])
        known.apply(
            .init(
                version: 0,
                state: .full,
                registrations: [
                    Self.registration(
                        "a",
                        .active,
                        Self.contact("1"),
                        Self.contact("2"),
                        Self.contact("3", active: false)
                    ),
                    Self.registration("b", .active, Self.contact("4")),
                ]
            )
        )
        #expect(known.registrations.map { $0.contacts.map(\.id) } == [["1", "2"], ["4"]])
        var changed = Self.contact("2")
        changed.displayName = "new"
        known.apply(
            .init(
                version: 1,
                state: .partial,
                registrations: [
                    Self.registration("a", .active, Self.contact("1", active: false), changed, Self.contact("5")),
                    Self.registration("b", .terminated), Self.registration("c", .active, Self.contact("6")),
                ]
            )
        )
        #expect(known.version == 1)
        #expect(known.registrations.map(\.id) == ["a", "c"])
        #expect(known.registrations[0].contacts == [changed, Self.contact("5")])
        known.apply(.init(version: 2, state: .full, registrations: []))
        #expect(known.registrations.isEmpty)
    }

    // MARK: - Dialogs

    @Test("dialogs: the flow of RFC 4235 section 6.2 in short")
    func dialogs() {
        var known = DialogInfo(version: 0, state: .full, entity: "sip:a@example.com", dialogs: [])
        let steps: [([DialogInfo.Dialog], DocumentState, [String])] = [
            ([.init(id: "1", state: .trying)], .partial, ["1 trying"]),
            ([.init(id: "1", state: .early)], .partial, ["1 early"]),
            ([.init(id: "1", state: .terminated), .init(id: "2", state: .confirmed)], .partial, ["2 confirmed"]),
            ([.init(id: "3", state: .trying)], .partial, ["2 confirmed", "3 trying"]),
            ([.init(id: "4", state: .early), .init(id: "5", state: .terminated)], .full, ["4 early"]),
        ]
        for (index, step) in steps.enumerated() {
            known.apply(.init(version: UInt64(index + 1), state: step.1, entity: nil, dialogs: step.0))
            #expect(known.dialogs.map { "\($0.id) \($0.state.rawValue)" } == step.2)
            #expect(known.version == UInt64(index + 1))
        }
        #expect(known.entity == "sip:a@example.com")
    }

    // MARK: - Conferences

    static func conference(_ state: DocumentState, _ version: UInt64, _ users: ConferenceInfo.Users?) -> ConferenceInfo
    {
        var document = ConferenceInfo(entity: "sip:c@example.com", state: state, version: version)
        document.users = users
        return document
    }

    @Test("conferences: users, endpoints and media are changed by what is named")
    func conference() {
        let laptop = ConferenceInfo.Endpoint(
            entity: "laptop",
            status: "connected",
            media: [.init(id: "1", type: "audio"), .init(id: "2", type: "video")]
        )
        let phone = ConferenceInfo.Endpoint(entity: "phone", status: "alerting")
        var bob = ConferenceInfo.User(entity: "bob", displayText: "Bob", endpoints: [laptop, phone])
        bob.roles = ["chair"]
        var known = ConferenceInfo(entity: "sip:c@example.com", state: .full, version: nil)
        known.apply(Self.conference(.full, 1, .init(users: [bob, .init(entity: "eve"), .init(entity: "ann")])))
        #expect(known.users?.users.map(\.entity) == ["bob", "eve", "ann"])

        var muted = ConferenceInfo.Endpoint(
            entity: "laptop",
            state: .partial,
            media: [.init(id: "2", type: "video", status: "inactive"), .init(id: "3", type: "message")]
        )
        muted.displayText = "Laptop"
        let changes: [ConferenceInfo.User] = [
            .init(
                entity: "bob",
                state: .partial,
                endpoints: [muted, .init(entity: "phone", state: .deleted)]
            ),
            .init(entity: "eve", state: .deleted), .init(entity: "ann", displayText: "Ann"), .init(entity: "dan"),
        ]
        var change = Self.conference(.partial, 2, .init(state: .partial, users: changes))
        change.status = .init(userCount: 3)
        known.apply(change)
        #expect(known.version == 2)
        #expect(known.state == .full)
        #expect(known.status?.userCount == 3)
        #expect(known.users?.users.map(\.entity) == ["bob", "ann", "dan"])
        let after = known.users?.users.first
        #expect(after?.displayText == "Bob")
        #expect(after?.roles == ["chair"])
        #expect(after?.endpoints.map(\.entity) == ["laptop"])
        #expect(after?.endpoints.first?.status == "connected")
        #expect(after?.endpoints.first?.displayText == "Laptop")
        #expect(after?.endpoints.first?.media.map(\.status) == [nil, "inactive", nil])

        // All users at once, in a document that is partial otherwise.
        known.apply(Self.conference(.partial, 3, .init(state: .full, users: [.init(entity: "zoe")])))
        #expect(known.users?.users.map(\.entity) == ["zoe"])
        #expect(known.status?.userCount == 3)
    }

    @Test("conferences: sidebars come, change and go")
    func sidebars() {
        func sidebar(_ state: DocumentState, _ users: ConferenceInfo.User...) -> ConferenceInfo {
            var document = ConferenceInfo(entity: "side", state: state, version: nil)
            document.users = .init(state: state == .full ? .full : .partial, users: users)
            return document
        }
        var known = ConferenceInfo(entity: "sip:c@example.com", state: .full, version: 1)
        for (state, users, wanted) in [
            (DocumentState.full, [ConferenceInfo.User(entity: "a")], ["a"]),
            (.partial, [ConferenceInfo.User(entity: "b")], ["a", "b"]),
        ] {
            var change = Self.conference(.partial, 2, nil)
            change.sidebars = [sidebar(state, users[0])]
            known.apply(change)
            #expect(known.sidebars.first?.users?.users.map(\.entity) == wanted)
        }
        var gone = Self.conference(.partial, 3, nil)
        gone.sidebars = [ConferenceInfo(entity: "side", state: .deleted, version: nil)]
        known.apply(gone)
        #expect(known.sidebars.isEmpty)
    }
}
