/** PCI devices: addresses, sysfs, config space and capabilities, register tables, driver binding. */
export { accessError } from './access/access-error.ts'
export { BufferAccess } from './access/buffer-access.ts'
export { type ConfigDump, parseConfigDump } from './access/config-dump.ts'
export type { RegisterAccess } from './access/register-access.ts'
export type { RegisterMemory, RevocationListener } from './access/register-memory.ts'
export { SysfsConfigAccess, type SysfsConfigOptions } from './access/sysfs-config-access.ts'
export { WindowAccess } from './access/window-access.ts'
export { PciAddress, type PciAddressLike } from './address/pci-address.ts'
export { bindDriver } from './binding/bind-driver.ts'
export type { Binding } from './binding/binding.ts'
export type { BindingStep } from './binding/binding-error.ts'
export type { BindingOptions } from './binding/binding-options.ts'
export { currentDriver } from './binding/current-driver.ts'
export type { SysfsIo } from './binding/sysfs-io.ts'
export { unbindDriver } from './binding/unbind-driver.ts'
export type { BaseAddress } from './config/base-address.ts'
export type { DeviceSerialNumber } from './config/capabilities/device-serial-number.ts'
export type { Msi } from './config/capabilities/msi.ts'
export type { BarLocation, Msix } from './config/capabilities/msix.ts'
export type { LinkRate, PciExpress, PciExpressType } from './config/capabilities/pci-express.ts'
export type { PowerManagement, PowerState } from './config/capabilities/power-management.ts'
export type { CapabilityHeader, UnknownCapability } from './config/capability.ts'
export type {
  Capability,
  DecodedCapability,
  DecodedExtendedCapability,
  ExtendedCapability,
} from './config/capability-decoders.ts'
export type { CapabilityList } from './config/capability-list.ts'
export { capabilityNames, extendedCapabilityNames } from './config/capability-names.ts'
export type { CommandRegister } from './config/command-register.ts'
export { ConfigSpace } from './config/config-space.ts'
export type { StatusRegister } from './config/status-register.ts'
export { type BoundRegisters, bindRegisters } from './registers/bind-registers.ts'
export { type AnyFieldValue, decodeFields } from './registers/decode-fields.ts'
export { defineRegisters } from './registers/define-registers.ts'
export { type DumpOptions, dumpRegisters, type RegisterDump } from './registers/dump-registers.ts'
export { encodeFields } from './registers/encode-fields.ts'
export { type LocatedRegister, locateRegisters } from './registers/locate-registers.ts'
export type {
  BoundRegister,
  ReadableRegister,
  ReadWriteRegister,
  Register,
  WritableRegister,
  WriteOneToClearRegister,
  WriteOneToSetRegister,
} from './registers/register.ts'
export type { RegisterArray } from './registers/register-array.ts'
export type {
  BitDefinition,
  BitsDefinition,
  FieldDefinition,
  FieldKind,
  RegisterDefinition,
  RegisterDefinitions,
  RegisterKind,
  RegisterWidth,
} from './registers/register-definition.ts'
export type {
  AnyRegisterTable,
  FieldConstants,
  FieldInfo,
  FieldName,
  FieldNameExcept,
  FieldUpdate,
  FieldValues,
  RegisterConstants,
  RegisterInfo,
  RegisterTable,
  RegisterValue,
} from './registers/register-types.ts'
export { traceAccess } from './registers/trace-access.ts'
export type { TraceEvent, TraceSink } from './registers/trace-event.ts'
export { traceRegisters } from './registers/trace-registers.ts'
export { listFunctions } from './sysfs/list-functions.ts'
export type { PciFunction } from './sysfs/pci-function.ts'
export { readFunction } from './sysfs/read-function.ts'
export type { PciBar, PciResource, ResourceKind } from './sysfs/resource.ts'
export type { SysfsOptions } from './sysfs/sysfs-options.ts'
