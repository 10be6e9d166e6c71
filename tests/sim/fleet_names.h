#pragma once
// Included before everything else in each file of the simulation of a fleet, also in those of src that are compiled for it: what
// they take from the system has another name here, and is the simulation's (fleet_time.cc). So these copies and the library's own
// can be told apart by the linker.
#define system_clock() fleet_clock()
#define SystemRandom FleetRandom
#define Worker FleetWorker
