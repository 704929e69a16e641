import ByteGrammar
public import NIOCore

/// The bindings of one address of record, and the rules by which REGISTER changes them (RFC 3261 section 10.3, RFC
/// 3327, RFC 5626 section 6, RFC 5627 section 5).
///
/// The machine keeps nothing but the bindings; who may register is decided before.
public struct RegistrarRecord: Sendable, Hashable {
    /// What an operator allows.
    public struct Policy: Sendable, Hashable {
        /// The shortest lease in seconds; shorter ones are refused with 423.
        ///
        /// 0 leaves.
        public var minimumExpires: UInt32 = 60
        /// The longest lease in seconds; longer ones are cut.
        public var maximumExpires: UInt32 = 86_400
        /// The lease of a contact that names none.
        public var defaultExpires: UInt32 = 3600
        /// How many bindings one address of record may have; more are refused with 403.
        public var maximumBindings = 64
        /// The keep-alive interval that clients with outbound are told, in seconds, nil for none.
        public var flowTimer: UInt32? = 120
        /// Whether GRUUs are handed out.
        public var offersGRUU = true
        /// Header fields of the 2xx that say how to reach the registrar's services (RFC 3608).
        public var serviceRoute: [NameAddress] = []

        /// The default policy.
        public init() {}

        /// The lease that a contact of a REGISTER asks for, in seconds; 0 leaves. A malformed or missing one counts as none
        /// (RFC 3261 section 10.2.1.1).
        public func lease(of contact: NameAddress, in request: SIPMessage) -> UInt32 {
            let own = contact.parameters["expires"].flatMap { UInt64($0) }.map { UInt32(clamping: $0) }
            return own ?? request.expires ?? self.defaultExpires
        }
    }

    /// What a REGISTER comes with besides its own text.
    public struct Arrival: Sendable, Hashable {
        /// The time.
        public var now: NIODeadline
        /// The registrar's name for the connection that it came over.
        public var flow: String?
        /// A fresh random user part for a temporary GRUU.
        public var temporaryGRUU: String?
        /// What Contact says, when it was read from this very request before.
        public var contacts: SIPMessage.Contacts?

        /// Describes an arrival.
        public init(
            now: NIODeadline,
            flow: String? = nil,
            temporaryGRUU: String? = nil,
            contacts: SIPMessage.Contacts? = nil
        ) {
            self.contacts = contacts
            self.now = now
            self.flow = flow
            self.temporaryGRUU = temporaryGRUU
        }
    }

    /// What happened to a binding.
    public enum Change: Sendable, Hashable {
        /// It is new.
        case added(Binding)
        /// It was there and has a new lease or address.
        case refreshed(Binding)
        /// It was removed by its owner.
        case removed(Binding)
    }

    /// What came of a REGISTER.
    public enum Outcome: Sendable, Hashable {
        /// Send this response; the bindings changed so.
        case accepted(SIPMessage, [Change])
        /// Send this response; nothing changed.
        case rejected(SIPMessage)
    }

    /// The address of record.
    public let addressOfRecord: SIPURI
    /// The bindings, latest first.
    public private(set) var bindings: [Binding] = []

    /// Starts without bindings.
    public init(addressOfRecord: SIPURI) { self.addressOfRecord = addressOfRecord }

    /// Starts with bindings that were kept elsewhere.
    public init(addressOfRecord: SIPURI, bindings: [Binding]) {
        self.addressOfRecord = addressOfRecord
        self.bindings = bindings
    }

    /// When to call ``expire(now:)``, nil without bindings.
    public var deadline: NIODeadline? { self.bindings.map(\.expires).min() }

    /// Drops bindings whose lease ran out, and returns them.
    public mutating func expire(now: NIODeadline) -> [Binding] {
        let gone = self.bindings.filter { $0.expires <= now }
        self.bindings.removeAll { $0.expires <= now }
        return gone
    }

    /// The bindings to try for a request to the address of record or to one of its GRUUs, best first.
    ///
    /// Of an instance only the newest flow is there; the older ones follow in ``alternatives(to:)``.
    ///
    /// - Parameter uri: The Request-URI.
    public func targets(for uri: SIPURI, now: NIODeadline) -> [Binding] {
        var live = self.bindings.filter { $0.expires > now }
        if let gruu = uri.gruu {
            live = live.filter { binding in
                guard let instance = binding.instance else { return false }
                if gruu.isEmpty { return binding.temporaryGRUU == uri.user }
                let own = GRUU.publicURI(addressOfRecord: self.addressOfRecord, instance: instance).gruu
                return own.map { PercentCoding.decoded($0) } == PercentCoding.decoded(gruu)
            }
        }
        var seen: Set<String> = []
        let newest = live.filter { binding in binding.instance.map { seen.insert($0).inserted } ?? true }
        return newest.enumerated().sorted {
            ($1.element.contact.quality, $0.offset) < ($0.element.contact.quality, $1.offset)
        }.map(\.element)
    }

    /// The other flows of the same instance, newest first, to try when the flow of a binding failed (430).
    public func alternatives(to binding: Binding, now: NIODeadline) -> [Binding] {
        guard let instance = binding.instance else { return [] }
        return self.bindings.filter { $0.instance == instance && $0.key != binding.key && $0.expires > now }
    }

    /// A flow broke: its bindings are of no use any more.
    public mutating func flowFailed(_ flow: String) -> [Binding] {
        let gone = self.bindings.filter { $0.flow == flow }
        self.bindings.removeAll { $0.flow == flow }
        return gone
    }
}

extension RegistrarRecord {
    /// A REGISTER arrived that is authenticated and allowed to change this address of record.
    public mutating func register(_ request: SIPMessage, policy: Policy, arrival: Arrival) -> Outcome {
        do throws(SIPError) {
            _ = self.expire(now: arrival.now)
            let plan = try self.plan(request, policy, arrival)
            switch plan {
            case .refuse(let response): return .rejected(response)
            case .change(let bindings, let changes):
                self.bindings = bindings
                return .accepted(try self.response(request, policy, arrival), changes)
            }
        } catch {
            return .rejected(SIPMessage(400, to: request, reason: "Bad Request"))
        }
    }

    private enum Plan {
        case refuse(SIPMessage)
        case change([Binding], [Change])
    }

    private func plan(_ request: SIPMessage, _ policy: Policy, _ arrival: Arrival) throws(SIPError) -> Plan {
        let callID = try request.callID()
        let number = try request.cSeq().number
        let contacts = if let read = arrival.contacts { read } else { try request.contacts() }
        switch contacts {
        case .all:
            guard request.expires == 0 else { return .refuse(SIPMessage(400, to: request)) }
            for binding in self.bindings where binding.callID == callID && binding.number >= number {
                return .refuse(SIPMessage(500, to: request))
            }
            return .change([], self.bindings.map { .removed($0) })
        case .addresses(let contacts):
            return try self.plan(request, contacts, callID, number, policy, arrival)
        }
    }

    private func plan(
        _ request: SIPMessage,
        _ contacts: [NameAddress],
        _ callID: String,
        _ number: UInt32,
        _ policy: Policy,
        _ arrival: Arrival
    ) throws(SIPError) -> Plan {
        let path = try request.list(.path, as: NameAddress.self)
        let usesOutbound = try self.usesOutbound(request, contacts, path)
        if usesOutbound == .firstHopLacksIt { return .refuse(SIPMessage(439, to: request)) }
        var bindings = self.bindings
        var changes: [Change] = []
        for contact in contacts {
            var seconds = policy.lease(of: contact, in: request)
            if seconds != 0, seconds < policy.minimumExpires {
                var response = SIPMessage(423, to: request)
                response.append(.minExpires, "\(policy.minimumExpires)")
                return .refuse(response)
            }
            seconds = min(seconds, policy.maximumExpires)
            let key = Self.key(contact, usesOutbound: usesOutbound == .yes)
            let index = bindings.firstIndex { Self.matches($0, key, contact) }
            if let index, bindings[index].callID == callID, bindings[index].number >= number {
                return .refuse(SIPMessage(500, to: request))
            }
            let old = index.map { bindings.remove(at: $0) }
            guard seconds > 0 else {
                if let old { changes.append(.removed(old)) }
                continue
            }
            guard bindings.count < policy.maximumBindings else { return .refuse(SIPMessage(403, to: request)) }
            let binding = Binding(
                key: key,
                contact: contact,
                callID: callID,
                number: number,
                expires: arrival.now + .seconds(Int64(seconds)),
                created: old?.created ?? arrival.now,
                path: path,
                flow: arrival.flow,
                temporaryGRUU: key.instance == nil ? nil : arrival.temporaryGRUU ?? old?.temporaryGRUU
            )
            bindings.insert(binding, at: 0)
            changes.append(old == nil ? .added(binding) : .refreshed(binding))
        }
        return .change(bindings, changes)
    }

    private enum Outbound {
        case yes
        case no
        case firstHopLacksIt
    }

    /// Whether the client wants outbound and the first hop does it (RFC 5626 section 6).
    private func usesOutbound(
        _ request: SIPMessage,
        _ contacts: [NameAddress],
        _ path: [NameAddress]
    ) throws(SIPError) -> Outbound {
        guard request.hasOption("outbound", in: .supported) || request.hasOption("outbound", in: .require),
            contacts.contains(where: { $0.instance != nil && $0.registrationID != nil })
        else { return .no }
        // A single Via means that the client talks to us directly; else the edge proxy marks its Path with `ob`.
        if try request.vias().count == 1 { return .yes }
        return path.last?.uri.sip?.parameters.contains("ob") == true ? .yes : .firstHopLacksIt
    }

    private static func key(_ contact: NameAddress, usesOutbound: Bool) -> Binding.Key {
        guard let instance = contact.instance, !instance.isEmpty else { return .contact(contact.uri.description) }
        if usesOutbound, let registration = contact.registrationID {
            return .flow(instance: instance, registration: registration)
        }
        return .instance(instance)
    }

    private static func matches(_ binding: Binding, _ key: Binding.Key, _ contact: NameAddress) -> Bool {
        switch (binding.key, key) {
        case (.contact, .contact): binding.contact.uri.isEquivalent(to: contact.uri)
        default: binding.key == key
        }
    }

    /// The 200 with all bindings.
    private func response(_ request: SIPMessage, _ policy: Policy, _ arrival: Arrival) throws(SIPError) -> SIPMessage {
        var response = SIPMessage(200, to: request)
        let supportsGRUU = request.hasOption("gruu", in: .supported)
        for binding in self.bindings {
            var contact = binding.contact
            contact.parameters["expires"] = "\(binding.remaining(at: arrival.now))"
            if supportsGRUU, policy.offersGRUU, let instance = binding.instance {
                self.addGRUUs(&contact, instance, binding.temporaryGRUU)
            }
            response.append(.contact, contact.description)
        }
        response.copy(.path, from: request)
        for route in policy.serviceRoute { response.append(.serviceRoute, route.description) }
        let path = try request.list(.path, as: NameAddress.self)
        if case .addresses(let contacts) = try request.contacts(),
            try self.usesOutbound(request, contacts, path) == .yes
        {
            response.append(.require, "outbound")
            if let seconds = policy.flowTimer { response.append(.flowTimer, "\(seconds)") }
        }
        return response
    }

    private func addGRUUs(_ contact: inout NameAddress, _ instance: String, _ temporary: String?) {
        let uri = GRUU.publicURI(addressOfRecord: self.addressOfRecord, instance: instance)
        contact.parameters.put(Parameter("pub-gruu", uri.description, quoted: true))
        guard let temporary else { return }
        let hidden = GRUU.temporaryURI(addressOfRecord: self.addressOfRecord, user: temporary)
        contact.parameters.put(Parameter("temp-gruu", hidden.description, quoted: true))
    }
}

extension Binding.Key {
    /// The instance, nil for a contact without one.
    var instance: String? {
        switch self {
        case .flow(let instance, _), .instance(let instance): instance
        case .contact: nil
        }
    }
}

/// Percent escapes of URI parameters.
enum PercentCoding {
    static func parameter(_ text: String) -> String { PercentEncoding.encode(text.utf8, unescaped: .uriParameter) }

    static func decoded(_ text: String) -> [UInt8] { PercentEncoding.decode(text.utf8) ?? Array(text.utf8) }
}
