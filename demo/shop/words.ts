/** What the shop's names are made of. All of it is made up. */

export const FIRST_NAMES =
  'Ada Amir Anika Bea Bruno Carla Chidi Dana Diego Elin Emre Farah Finn Greta Hana Hugo Ines Ivo Jana Jonas Kaito Keiko Lea Liam Lucía Mads Maya Milan Nadia Nils Nora Omar Oona Pavel Priya Rafael Ruth Sanne Søren Tala Theo Uma Viggo Wanda Yara Zoë'.split(
    ' ',
  );

export const LAST_NAMES =
  "Abara Alm Bauer Berg Castro Chen Costa Dahl Dubois Eriksen Ferrari Garcia Haas Hoang Ivanova Jansen Kaya Kowalska Lund Mbeki Meyer Moreau Nakamura Novák O'Brien Okafor Olsen Patel Quist Rossi Sato Silva Söderberg Takahashi Tanaka Urban Varga Weber Yilmaz Zhang".split(
    ' ',
  );

export const ADJECTIVES =
  'Amber Blue Broken Distant Electric Empty Foreign Gentle Golden Hollow Inner Late Lunar Midnight Northern Paper Quiet Red Restless Salt Second Silent Slow Velvet Wild Winter'.split(
    ' ',
  );

export const NOUNS =
  'Anthem Arcade Balcony Bridge Canyon Circus Compass Echo Engine Evening Ferry Garden Harbour Kite Lantern Letter Lighthouse Mirror Ocean Orchard Parade Radio River Satellite Season Shadow Signal Station Summer Tide Tower Train Valley Window'.split(
    ' ',
  );

export const GENRES = 'rock pop jazz soul funk folk metal ambient techno house dub classical latin blues'.split(' ');

/** Country, its code for artists, cities, and how many of the customers live there. */
export const COUNTRIES: { name: string; code: string; cities: string[]; weight: number }[] = [
  { name: 'Germany', code: 'DE', cities: ['Berlin', 'Hamburg', 'Köln'], weight: 18 },
  { name: 'United States', code: 'US', cities: ['Austin', 'Chicago', 'Portland'], weight: 26 },
  { name: 'Brazil', code: 'BR', cities: ['São Paulo', 'Recife'], weight: 12 },
  { name: 'France', code: 'FR', cities: ['Lyon', 'Nantes', 'Paris'], weight: 11 },
  { name: 'Japan', code: 'JP', cities: ['大阪', '東京'], weight: 9 },
  { name: 'Norway', code: 'NO', cities: ['Bergen', 'Tromsø'], weight: 6 },
  { name: 'India', code: 'IN', cities: ['Bengaluru', 'Pune'], weight: 10 },
  { name: 'Nigeria', code: 'NG', cities: ['Lagos', 'Ibadan'], weight: 8 },
];

export const PLAYLISTS =
  'Sunday morning,Kitchen,On the train,Long drive,Focus,Rain,Running,Dinner for two,Old favourites,Road works'.split(
    ',',
  );

export const TITLES =
  'General Manager,Sales Manager,IT Manager,Support,Support,Support,Support,Catalogue,Catalogue'.split(',');
