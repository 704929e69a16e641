import ByteGrammar
import MessagingCore
import SIP

/// The address of one own device, whether or not it speaks SIP: what a REFER of the account's phones can name.
///
/// Phones with `+sip.instance` have a public GRUU (RFC 5627) besides, by their instance.
enum DeviceGRUU {
    private static let prefix = "urn:continuo:device:"

    /// `sip:USER@DOMAIN;gr=urn:continuo:device:NUMBER`
    static func uri(_ addressOfRecord: SIPURI, _ device: DeviceID) -> SIPURI {
        GRUU.publicURI(addressOfRecord: addressOfRecord, instance: "\(prefix)\(device.rawValue)")
    }

    /// The device that such an address names, nil for any other; whose it is says the rest of the address.
    static func device(_ uri: SIPURI) -> DeviceID? {
        guard let gruu = uri.gruu, let bytes = PercentEncoding.decode(gruu.utf8),
            case let text = String(decoding: bytes, as: UTF8.self), text.hasPrefix(prefix),
            let number = Int32(text.dropFirst(prefix.count)), number > 0
        else { return nil }
        return DeviceID(rawValue: number)
    }
}
